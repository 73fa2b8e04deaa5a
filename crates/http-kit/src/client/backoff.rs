//! The pauses between attempts: doubling, and scattered so that callers who failed together do
//! not come back together.

use kernel::Duration;

const FIRST_MS: u64 = 20;
const LONGEST_MS: u64 = 500;

/// The pause after attempt `attempt` (0 is the first): between half and all of the doubled step.
pub(super) fn pause(attempt: u32, random: u64) -> Duration {
    let step = FIRST_MS.saturating_mul(1 << attempt.min(16)).min(LONGEST_MS) * 1_000;
    Duration::from_micros(step / 2 + random % (step / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_are_scattered() {
        assert_eq!(pause(0, 0), Duration::from_millis(10));
        assert_eq!(pause(0, 10_000), Duration::from_millis(20));
        assert_eq!(pause(2, 0), Duration::from_millis(40));
        assert!(pause(40, u64::MAX) <= Duration::from_millis(LONGEST_MS));
    }
}
