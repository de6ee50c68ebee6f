//! Clock offsets and dates in plans.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use elenchus_core::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The offset of a clock, in nanoseconds; negative when behind: `10s`, `-1h 30m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift(pub i64);

/// A date, `2038-01-19T03:14:00Z`, as nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Date(pub i64);

impl FromStr for Shift {
    type Err = String;

    fn from_str(text: &str) -> Result<Shift, String> {
        let (sign, length) = match text.trim().split_at_checked(1) {
            Some(("-", length)) => (-1, length),
            Some(("+", length)) => (1, length),
            _ => (1, text),
        };
        let span: Span = length.parse()?;
        let nanos = i64::try_from(span.0.as_nanos()).map_err(|_| format!("`{text}` is out of range: at most 292 years"))?;
        Ok(Shift(sign * nanos))
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(out, "{sign}{}", Span(Duration::from_nanos(self.0.unsigned_abs())))
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Date, String> {
        let time = humantime::parse_rfc3339_weak(text).map_err(|_| format!("`{text}` is not a date like `2038-01-19T03:14:00Z`"))?;
        let since = time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_nanos()).ok());
        since.map(Date).ok_or_else(|| format!("`{text}` is out of range: from 1970 to 2262"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time: SystemTime = UNIX_EPOCH + Duration::from_nanos(self.0.unsigned_abs());
        humantime::format_rfc3339(time).fmt(out)
    }
}

/// Reads and writes a type as a string.
macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Shift);
as_text!(Date);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_have_a_sign() {
        for (text, nanos) in [("10s", 10_000_000_000), ("-1m 30s", -90_000_000_000), ("+5ms", 5_000_000)] {
            assert_eq!(text.parse(), Ok(Shift(nanos)));
        }
        assert_eq!(Shift(-90_000_000_000).to_string(), "-1m 30s");
        assert!("10".parse::<Shift>().is_err() && "-".parse::<Shift>().is_err() && "".parse::<Shift>().is_err());
        assert!("300years".parse::<Shift>().unwrap_err().contains("292 years"));
    }

    #[test]
    fn dates_are_read_and_written() {
        let date: Date = "2038-01-19T03:14:08Z".parse().unwrap();
        assert_eq!((date.0, date.to_string().as_str()), (2_147_483_648_000_000_000, "2038-01-19T03:14:08Z"));
        assert!("2038".parse::<Date>().is_err() && "2300-01-01T00:00:00Z".parse::<Date>().unwrap_err().contains("2262"));
    }
}
