//! Records that are lines: what the formats without a faster way of their own share.

use memchr::memchr;

use super::Progress;

/// Calls `take` for every whole line of `input`, without its line end, until it answers `false`;
/// with `last` the end of the input ends the last line. `take` learns where the line starts.
pub(super) fn each_line(
    input: &[u8],
    last: bool,
    mut take: impl FnMut(&[u8], Progress) -> bool,
) -> Progress {
    let mut done = Progress::default();
    while done.consumed < input.len() {
        let rest = &input[done.consumed..];
        let (line, taken) = match memchr(b'\n', rest) {
            Some(end) => (&rest[..end], end + 1),
            None if last => (rest, rest.len()),
            None => break,
        };
        let goes_on = take(line.strip_suffix(b"\r").unwrap_or(line), done);
        done.consumed += taken;
        done.lines += 1;
        if !goes_on {
            break;
        }
    }
    done
}
