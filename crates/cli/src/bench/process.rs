//! What this process has used so far, as Linux tells it; elsewhere nothing is known.

/// Clock ticks of a second in `/proc`: 100 on every Linux that people use.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all threads, in seconds.
pub fn cpu_seconds() -> Option<f64> {
    cpu_of(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// The greatest resident memory, in megabytes.
pub fn peak_megabytes() -> Option<f64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn cpu_of(stat: &str) -> Option<f64> {
    // The program's name may have spaces and parentheses in it; the last one ends it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

fn peak_of(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_understood() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 9";
        assert_eq!(cpu_of(stat), Some(1.75));
        assert_eq!(peak_of("Name:\trialto\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n"), Some(2.0));
        assert_eq!(cpu_of(""), None);
        assert_eq!(peak_of("VmHWM: much\n"), None);
    }
}
