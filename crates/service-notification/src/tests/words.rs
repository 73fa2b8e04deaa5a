//! What messages say, and the hours in which nobody is disturbed.

use contracts::Object;
use contracts::shared::Locale;
use kernel::{Duration, Personal, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use crate::LocalTime;
use crate::domain::{TEMPLATES, after_quiet_hours, rendered, template};

fn names_in(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn both_languages_of_a_message_say_the_same_things() {
    for template in TEMPLATES {
        let both = |text: (&'static str, &'static str)| {
            let mut names = [names_in(text.0), names_in(text.1)].concat();
            names.sort_unstable();
            names
        };
        assert_eq!(both(template.es), both(template.en), "{}", template.name);
        assert_eq!(TEMPLATES.iter().filter(|other| other.name == template.name).count(), 1);
    }
}

#[test]
fn variables_are_filled_in_once_and_what_is_gone_reads_as_dots() {
    let welcome = template("welcome").unwrap();
    let name = |value: &str| Personal::Known(Object::from_iter([("name".to_owned(), json!(value))]));
    assert_eq!(rendered(welcome, Locale::En, &name("Ana")).title, "Welcome, Ana");
    assert_eq!(rendered(welcome, Locale::Es, &name("{name}")).title, "Te damos la bienvenida, {name}");
    assert_eq!(rendered(welcome, Locale::En, &Personal::Redacted).title, "Welcome, …");
}

/// Given these quiet hours in Spain, when something would go at this time, then it goes at that.
#[track_caller]
fn check(given: &str, when: &str, then: &str) {
    let zone = LocalTime::default().zone;
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(after_quiet_hours(time(when), Some(given), &zone), time(then), "{given} {when}");
}

#[test]
fn quiet_hours_are_local_and_end_on_the_right_day() {
    // Winter: an hour ahead of UTC.
    check("22:00-08:00", "2026-01-05T20:59:59Z", "2026-01-05T20:59:59Z");
    check("22:00-08:00", "2026-01-05T21:00:00Z", "2026-01-06T07:00:00Z");
    check("22:00-08:00", "2026-01-06T06:59:59Z", "2026-01-06T07:00:00Z");
    check("22:00-08:00", "2026-01-06T07:00:00Z", "2026-01-06T07:00:00Z");
    check("14:00-16:30", "2026-01-05T14:00:00Z", "2026-01-05T15:30:00Z");
    // Summer: two hours.
    check("22:00-08:00", "2026-07-05T20:30:00Z", "2026-07-06T06:00:00Z");
    // The night in which the clock is set forward.
    check("22:00-08:00", "2026-03-28T22:00:00Z", "2026-03-29T06:00:00Z");
    for none in ["", "late", "25:00-08:00", "08:00-08:00"] {
        check(none, "2026-01-05T23:00:00Z", "2026-01-05T23:00:00Z");
    }
}

proptest! {
    #[test]
    fn a_message_is_never_early_never_a_day_late_and_never_in_quiet_hours(
        seconds in 1_767_000_000i64..1_830_000_000,
        (from, to) in (0u32..24, 0u32..24),
    ) {
        let zone = LocalTime::default().zone;
        let hours = format!("{from:02}:00-{to:02}:00");
        let at = Timestamp::from_micros(seconds * 1_000_000);
        let goes = after_quiet_hours(at, Some(&hours), &zone);
        prop_assert!(goes >= at);
        prop_assert!(goes.since(at) <= Duration::from_secs(25 * 3_600));
        prop_assert_eq!(after_quiet_hours(goes, Some(&hours), &zone), goes);
    }
}

#[test]
fn a_time_zone_that_is_none_is_refused_by_name() {
    assert!(LocalTime::try_from("CET-1CEST,M3.5.0,M10.5.0/3".to_owned()).is_ok());
    assert!(LocalTime::try_from("Spain".to_owned()).unwrap_err().contains("POSIX"));
}
