//! `numeric` in PostgreSQL's binary form: digits of base 10,000, exact both ways.

const NEGATIVE: u16 = 0x4000;

/// Appends the value `value / 10^scale`.
pub(super) fn write(out: &mut Vec<u8>, value: i128, scale: u32) {
    let mut rest = value.unsigned_abs();
    // Least significant first: 39 decimal digits and the filling make at most 11 groups.
    let mut groups = [0u16; 12];
    let mut count = 0;
    let fill = (4 - scale % 4) % 4;
    if fill > 0 {
        // The last group holds fewer digits of the fraction than four.
        let own = 10u128.pow(4 - fill);
        groups[0] = ((rest % own) * 10u128.pow(fill)) as u16;
        rest /= own;
        count = 1;
    }
    while rest > 0 && count < groups.len() {
        groups[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    let zeros = groups[..count].iter().take_while(|g| **g == 0).count();
    let digits = &groups[zeros..count];
    let leading = digits.iter().rev().take_while(|g| **g == 0).count();
    let digits = &digits[..digits.len() - leading];
    let fraction = scale.div_ceil(4) as i16;
    let top = (zeros + digits.len()) as i16 - 1;
    let weight = if digits.is_empty() { 0 } else { top - fraction };
    let sign = if value < 0 { NEGATIVE } else { 0 };
    out.extend_from_slice(&(digits.len() as i16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
    for group in digits.iter().rev() {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

/// Reads a value as a decimal of a precision and scale, rounded half up as Flink does; says why it
/// is none.
pub(super) fn read(bytes: &[u8], precision: u8, scale: i8) -> Result<i128, String> {
    let field = |at: usize| -> Result<u16, String> {
        let two = bytes.get(at * 2..at * 2 + 2).ok_or("a numeric value that is cut off")?;
        Ok(u16::from_be_bytes([two[0], two[1]]))
    };
    let (count, weight, sign) = (field(0)? as i16, field(1)? as i16, field(2)?);
    if sign != 0 && sign != NEGATIVE {
        return Err(match sign {
            0xC000 => "NaN is no DECIMAL".into(),
            _ => "infinity is no DECIMAL".into(),
        });
    }
    let scale = i32::from(scale);
    let too_large = || format!("it does not fit DECIMAL({precision}, {scale})");
    let mut value: i128 = 0;
    // The decimal exponent that `value` counts in.
    let mut exponent = 4 * (i32::from(weight) + 1);
    let mut rounds_up = false;
    for at in 0..count.max(0) as usize {
        let digit = i128::from(field(4 + at)?);
        let cut = -scale - (exponent - 4);
        if cut <= 0 {
            value = value
                .checked_mul(10_000)
                .and_then(|v| v.checked_add(digit))
                .ok_or_else(too_large)?;
            exponent -= 4;
            continue;
        }
        // Digits behind the scale: only the first of them counts.
        if cut < 4 {
            value = value.checked_mul(10i128.pow(4 - cut as u32)).ok_or_else(too_large)?;
            value += digit / 10i128.pow(cut as u32);
            exponent = -scale;
        }
        rounds_up = cut <= 4 && (digit / 10i128.pow(cut as u32 - 1)) % 10 >= 5;
        break;
    }
    // Zeros that were left out, up to the scale.
    let missing = u32::try_from(exponent + scale).unwrap_or(0);
    if value != 0 && missing > 0 {
        let factor = 10i128.checked_pow(missing).ok_or_else(too_large)?;
        value = value.checked_mul(factor).ok_or_else(too_large)?;
    }
    value += i128::from(rounds_up);
    if value >= 10i128.pow(u32::from(precision).min(38)) {
        return Err(too_large());
    }
    Ok(if sign == NEGATIVE { -value } else { value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn back(value: i128, from: u32, precision: u8, scale: i8) -> Result<i128, String> {
        let mut bytes = Vec::new();
        write(&mut bytes, value, from);
        read(&bytes, precision, scale)
    }

    #[test]
    fn a_value_is_rounded_half_up_and_must_fit() {
        assert_eq!(back(12_345, 3, 10, 2), Ok(1235));
        assert_eq!(back(-12_345, 3, 10, 2), Ok(-1235));
        assert_eq!(back(12_344, 3, 10, 2), Ok(1234));
        assert_eq!(back(5, 1, 10, 0), Ok(1));
        assert_eq!(back(49_999, 5, 10, 0), Ok(0));
        assert_eq!(back(5, 5, 10, 4), Ok(1));
        assert_eq!(back(4, 9, 10, 4), Ok(0));
        assert_eq!(back(99_999, 0, 4, 0), Err("it does not fit DECIMAL(4, 0)".into()));
        assert_eq!(back(9_996, 3, 3, 2), Err("it does not fit DECIMAL(3, 2)".into()));
        assert_eq!(back(10_000_000, 0, 38, 10), Ok(100_000_000_000_000_000));
        assert_eq!(back(0, 4, 38, 10), Ok(0));
        assert!(read(&[0, 0, 0, 0, 0xC0, 0, 0, 0], 10, 2).unwrap_err().contains("NaN"));
        assert!(read(&[0, 1, 0, 0], 10, 2).is_err());
    }

    proptest! {
        #[test]
        fn every_decimal_comes_back(digits in any::<i128>(), scale in 0u32..=38) {
            let value = digits % 10i128.pow(38);
            prop_assert_eq!(back(value, scale, 38, scale as i8), Ok(value));
        }
    }
}
