//! Numbers, as tables show them.

/// A number with three digits that say something, and thousands apart.
pub(crate) fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size as people say it, with three digits that say something.
pub(crate) fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (size as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value.fract() == 0.0 || value >= 100.0 || unit == 0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// The median and the minimum; sorts what it is given.
pub(crate) fn median_and_minimum(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    let median = match times.len() % 2 {
        0 => (times[middle - 1] + times[middle]) / 2.0,
        _ => times[middle],
    };
    (median, times[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_short() {
        assert_eq!(number(7.94), "7.9");
        assert_eq!(number(79.4), "79");
        assert_eq!(number(1_234_567.8), "1,234,568");
        let sizes = [0, 1023, 1024, 1536, 256 << 20, 10_000 * (256 << 20)];
        let shown = ["0 B", "1023 B", "1 KiB", "1.5 KiB", "256 MiB", "2.4 TiB"];
        assert_eq!(sizes.map(bytes), shown);
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        assert_eq!(median_and_minimum(&mut [3.0, 1.0, 9.0]), (3.0, 1.0));
        assert_eq!(median_and_minimum(&mut [4.0, 2.0, 9.0, 1.0]), (3.0, 1.0));
    }
}
