//! How fast calls may be created, in real time.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Sliding windows over recent creations.
#[derive(Debug)]
pub struct CreationRate {
    caps: Vec<(Duration, usize)>,
    recent: Mutex<VecDeque<Instant>>,
}

impl CreationRate {
    /// Caps per minute and per second; none if absent.
    pub fn new(per_minute: Option<usize>, per_second: Option<usize>) -> Self {
        let minute = per_minute.map(|cap| (Duration::from_secs(60), cap));
        let second = per_second.map(|cap| (Duration::from_secs(1), cap));
        Self { caps: minute.into_iter().chain(second).collect(), recent: Mutex::default() }
    }

    /// Takes one creation, or tells how many whole seconds to wait.
    pub fn take(&self) -> Result<(), u64> {
        let now = Instant::now();
        let mut recent =
            self.recent.lock().expect("nothing panics while it holds the recent creations");
        let longest = self.caps.iter().map(|(window, _)| *window).max();
        while let (Some(first), Some(longest)) = (recent.front(), longest)
            && now - *first >= longest
        {
            recent.pop_front();
        }
        for (window, cap) in &self.caps {
            let within: Vec<&Instant> = recent.iter().filter(|at| now - **at < *window).collect();
            if within.len() >= *cap {
                let free_in = match within.len().checked_sub(*cap).and_then(|i| within.get(i)) {
                    Some(at) => *window - (now - **at),
                    None => *window,
                };
                return Err(free_in.as_secs() + 1);
            }
        }
        if longest.is_some() {
            recent.push_back(now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_reached_after_so_many_creations() {
        let rate = CreationRate::new(Some(2), None);
        assert_eq!(rate.take(), Ok(()));
        assert_eq!(rate.take(), Ok(()));
        let wait = rate.take().unwrap_err();
        assert!((59..=61).contains(&wait), "{wait}");
    }

    #[test]
    fn without_caps_there_is_no_limit() {
        let rate = CreationRate::new(None, None);
        assert!((0..1000).all(|_| rate.take().is_ok()));
    }
}
