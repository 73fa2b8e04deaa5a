//! CPU time of this process, and of the threads in it that make the load, from `/proc`.

use std::fs;
use std::time::Duration;

/// Linux tells CPU times in hundredths of a second, whatever the kernel counts in (`proc(5)`).
const TICK: Duration = Duration::from_millis(10);

/// CPU time spent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// By the whole process.
    pub(crate) process: Duration,
    /// By its threads with the name that was asked for.
    pub(crate) threads: Duration,
}

impl Spent {
    /// CPU time spent so far by the process and by its threads called `name`; nothing where the
    /// system does not tell.
    pub(crate) fn now(name: &str) -> Option<Spent> {
        let (_, process) = times(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let mut threads = Duration::ZERO;
        for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
            // A thread may end while it is looked at.
            let Ok(text) = fs::read_to_string(task.path().join("stat")) else { continue };
            match times(&text) {
                Some((called, spent)) if called == name => threads += spent,
                _ => {}
            }
        }
        Some(Spent { process, threads })
    }

    /// What was spent since `before`.
    pub(crate) fn since(self, before: Spent) -> Spent {
        Spent {
            process: self.process.saturating_sub(before.process),
            threads: self.threads.saturating_sub(before.threads),
        }
    }
}

/// Name and user + system time of a `stat` line. The name stands in parentheses and may hold
/// anything, so the fields are counted from the last one.
fn times(stat: &str) -> Option<(&str, Duration)> {
    let (head, rest) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let mut fields = rest.split(' ').skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((name, TICK * (user + system)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::times;

    #[test]
    fn the_times_of_a_line_are_found_whatever_the_name() {
        let line = "13510 (a) (b) R 13502 13502 22903 0 -1 4194304 2845 6532 8 2 49 2 4 2 20 0 2 0 438988";
        assert_eq!(times(line), Some(("a) (b", Duration::from_millis(510))));
    }
}
