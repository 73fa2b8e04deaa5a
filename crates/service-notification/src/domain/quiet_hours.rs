//! Quiet hours: local times between which nobody wants to be disturbed.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};
use kernel::Timestamp;

/// `at`, or the end of the quiet hours (`22:00-08:00`, local time) that it falls into. What is no
/// span of hours is none.
pub fn after_quiet_hours(at: Timestamp, hours: Option<&str>, zone: &TimeZone) -> Timestamp {
    hours.and_then(span).and_then(|span| end(at, span, zone)).unwrap_or(at)
}

fn span(text: &str) -> Option<(Time, Time)> {
    let time = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    let (from, to) = text.split_once('-')?;
    Some((time(from)?, time(to)?)).filter(|(from, to)| from != to)
}

/// The end of the span, where `at` lies in it.
fn end(at: Timestamp, (from, to): (Time, Time), zone: &TimeZone) -> Option<Timestamp> {
    let local: Zoned = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?.to_zoned(zone.clone());
    let time = local.time();
    let is_quiet = if from < to { (from..to).contains(&time) } else { time >= from || time < to };
    if !is_quiet {
        return None;
    }
    // A span over midnight ends tomorrow for those who are in its evening.
    let date = if time < to { local.date() } else { local.date().checked_add(1.day()).ok()? };
    let end = date.to_datetime(to).to_zoned(zone.clone()).ok()?;
    Some(Timestamp::from_micros(end.timestamp().as_microsecond()))
}
