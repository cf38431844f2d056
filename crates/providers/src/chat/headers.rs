//! What a vendor says about its limits, in headers. No server has to send any of them.

use std::time::Duration;

/// Limits that an answer reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Calls.
    pub requests: Option<Window>,
    /// Tokens, in and out.
    pub tokens: Option<Window>,
}

/// One limit, as of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many are allowed.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// When all are there again, from the answer on.
    pub reset: Duration,
}

/// Headers of an answer: names in any case.
pub(super) struct Headers<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl<'a> Headers<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(super) fn rate_limits(&self) -> RateLimits {
        RateLimits {
            requests: self.window("requests"),
            tokens: self.window("tokens"),
        }
    }

    /// A limit of 0 or below is what some gateways send instead of nothing (Azure sends -1 and 0).
    fn window(&self, of: &str) -> Option<Window> {
        let number = |part: &str| {
            self.get(&format!("x-ratelimit-{part}-{of}"))?
                .parse::<i64>()
                .ok()
        };
        let limit = u64::try_from(number("limit")?)
            .ok()
            .filter(|limit| *limit > 0)?;
        let remaining = u64::try_from(number("remaining")?).ok()?;
        let reset = self
            .get(&format!("x-ratelimit-reset-{of}"))
            .and_then(go_duration)
            .unwrap_or_default();
        Some(Window {
            limit,
            remaining,
            reset,
        })
    }

    /// How long the vendor asks us to wait, in the order in which the official SDK looks: `retry-after-ms`, then
    /// `retry-after` in seconds, then `retry-after` as a date, counted from the answer's own `date` (so that our clock
    /// does not matter).
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let millis = self
            .get("retry-after-ms")
            .and_then(|text| text.parse::<f64>().ok());
        if let Some(millis) = millis {
            return Duration::try_from_secs_f64(millis / 1_000.0).ok();
        }
        let text = self.get("retry-after")?;
        if let Ok(seconds) = text.parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let until = http_date(text)?;
        let now = http_date(self.get("date")?)?;
        Some(Duration::from_secs(until.saturating_sub(now)))
    }
}

/// Parses `12ms`, `1.574s`, `6m0s`, `1h2m3s`: durations as Go prints them.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|at| *at > 0)?;
        let value: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit_s = match rest.get(..letters)? {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        sum = sum.checked_add(Duration::try_from_secs_f64(value * unit_s).ok()?)?;
        rest = rest.get(letters..)?;
    }
    (!text.is_empty()).then_some(sum)
}

/// Parses `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate, RFC 9110 section 5.6.7) into seconds since 1970.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split_once(", ")?.1.split([' ', ':']);
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = u64::try_from(MONTHS.iter().position(|known| *known == name)?).ok()? + 1;
    let year: u64 = words
        .next()?
        .parse()
        .ok()
        .filter(|year| (1970..10_000).contains(year))?;
    let mut clock = [0_u64; 3];
    for (part, below) in clock.iter_mut().zip([24, 60, 61]) {
        *part = words.next()?.parse().ok().filter(|value| *value < below)?;
    }
    if words.next() != Some("GMT") || !(1..=31).contains(&day) {
        return None;
    }
    // Days from civil date, with the year beginning in March (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + of_year - 719_468;
    let [hour, minute, second] = clock;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::{Headers, go_duration, http_date};
    use std::time::Duration;

    #[test]
    fn go_durations_add_their_parts() {
        let millis = |text| go_duration(text).map(|span| span.as_millis());
        assert_eq!(millis("12ms"), Some(12));
        assert_eq!(millis("1s"), Some(1_000));
        assert_eq!(millis("1.574s"), Some(1_574));
        assert_eq!(millis("6m0s"), Some(360_000));
        assert_eq!(millis("1h2m3s"), Some(3_723_000));
        for nonsense in ["", "s", "5", "5 parsecs", "-1s", "1.2.3s"] {
            assert_eq!(millis(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn http_dates_are_counted_from_1970() {
        assert_eq!(
            http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            http_date("Thu, 29 Feb 2024 12:00:00 GMT"),
            Some(1_709_208_000)
        );
        assert_eq!(http_date("tomorrow"), None);
        assert_eq!(http_date("Sun, 06 Nov 1994 25:49:37 GMT"), None);
    }

    #[test]
    fn retry_after_prefers_milliseconds_then_seconds_then_the_servers_own_dates() {
        let after = |headers: &[(&str, &str)]| Headers(headers).retry_after();
        assert_eq!(
            after(&[("Retry-After-Ms", "250"), ("retry-after", "9")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(after(&[("retry-after", "9")]), Some(Duration::from_secs(9)));
        let dates = [
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT"),
        ];
        assert_eq!(after(&dates), Some(Duration::from_secs(30)));
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(after(&[("retry-after", "-3")]), None);
    }
}
