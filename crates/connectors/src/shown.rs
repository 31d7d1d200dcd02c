//! What a reader reads, in words.

/// So many partitions are named.
const NAMED_MAX: usize = 4;

/// The partitions of a reader, the first ones by name.
pub(crate) fn shown_partitions(partitions: impl ExactSizeIterator<Item = String>) -> String {
    let count = partitions.len();
    let named = partitions.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    match count {
        0 => "no partition".into(),
        1 => format!("partition {named}"),
        2..=NAMED_MAX => format!("partitions {named}"),
        _ => format!("partitions {named} and {} more", count - NAMED_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_partitions_are_named_and_many_counted() {
        let of = |count: usize| shown_partitions((0..count).map(|p| p.to_string()));
        assert_eq!(of(0), "no partition");
        assert_eq!(of(1), "partition 0");
        assert_eq!(of(4), "partitions 0, 1, 2, 3");
        assert_eq!(of(40), "partitions 0, 1, 2, 3 and 36 more");
    }
}
