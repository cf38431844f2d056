//! UTC microseconds as RFC 3339 with `Z`.

/// As text, to the millisecond.
pub(crate) fn rfc3339(at_us: i64) -> String {
    jiff::Timestamp::from_microsecond(at_us).map_or_else(
        |_| "1970-01-01T00:00:00Z".to_owned(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(
            super::rfc3339(1_795_345_135_250_000),
            "2026-11-22T10:58:55.250Z"
        );
    }
}
