//! Numbers of bytes, as people write and read them.

/// What each suffix stands for, as a power of 1024.
const UNITS: [&str; 5] = ["", "K", "M", "G", "T"];

/// Reads a number that may end in K, M, G or T, also written KiB and so on, in either case.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let unit = suffix.to_ascii_uppercase();
    let unit = unit.strip_suffix("IB").unwrap_or(&unit);
    let power = UNITS.iter().position(|name| *name == unit);
    // `IB` alone would be left with no unit at all.
    let power = power.filter(|power| *power > 0 || suffix.is_empty());
    let (Some(power), false) = (power, digits.is_empty()) else {
        return Err(format!(
            "`{text}` is not a number: write 4096, or 4K, 64MiB, 2G, 1T (powers of 1024)"
        ));
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << (10 * power)))
        .ok_or_else(|| format!("`{text}` is too large: at most {} is possible", u64::MAX))
}

/// A number of bytes for people, such as `1.5 MiB (1572864 bytes)`.
pub(crate) fn describe(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} {}", if bytes == 1 { "byte" } else { "bytes" });
    }
    let (mut amount, mut unit) = (bytes as f64 / 1024.0, "KiB");
    for larger in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
        // What would be shown as 1024.0 is shown in the next unit.
        if amount < 1023.95 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    format!("{amount:.1} {unit} ({bytes} bytes)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_number_with_any_suffix_when_parsed_then_it_is_a_number_of_bytes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("1k", 1 << 10),
            ("64KiB", 64 << 10),
            ("8M", 8 << 20),
            ("8mib", 8 << 20),
            ("2G", 2 << 30),
            ("1TiB", 1 << 40),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn given_anything_else_when_parsed_then_it_says_how_to_write_it() {
        for text in ["", "K", "iB", "1iB", "-1", "+1", "1.5M", "1 M", "1KB", "1X", "0x10", "€"] {
            assert!(parse(text).unwrap_err().contains("64MiB"), "{text}");
        }
        for text in ["18446744073709551616", "16777216T", "99999999999999999999999"] {
            assert!(parse(text).unwrap_err().contains("too large"), "{text}");
        }
    }

    #[test]
    fn given_bytes_when_described_then_they_are_rounded_and_exact() {
        assert_eq!(describe(0), "0 bytes");
        assert_eq!(describe(1), "1 byte");
        assert_eq!(describe(1023), "1023 bytes");
        assert_eq!(describe(1536), "1.5 KiB (1536 bytes)");
        assert_eq!(describe((1 << 20) - 1), "1.0 MiB (1048575 bytes)");
        assert_eq!(describe(u64::MAX), "16.0 EiB (18446744073709551615 bytes)");
    }
}
