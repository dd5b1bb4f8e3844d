//! A limit on what all clients use together and on what each of them uses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::source::Source;

pub(crate) struct PerSourceLimit {
    max_total: usize,
    max_per_source: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    total: usize,
    by_source: HashMap<Source, usize>,
}

/// Units in use; dropping the permit releases them.
pub(crate) struct Permit {
    limit: Arc<PerSourceLimit>,
    source: Option<Source>,
    units: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LimitReached;

impl PerSourceLimit {
    pub fn new(max_total: usize, max_per_source: usize) -> Arc<Self> {
        Arc::new(Self { max_total, max_per_source, used: Mutex::default() })
    }

    /// A permit without units. If it has no source, only the total is limited.
    pub fn permit(self: &Arc<Self>, source: Option<Source>) -> Permit {
        Permit { limit: self.clone(), source, units: 0 }
    }
}

impl Permit {
    pub fn acquire(&mut self, units: usize) -> Result<(), LimitReached> {
        let mut used = self.limit.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.total + units > self.limit.max_total {
            return Err(LimitReached);
        }
        if let Some(source) = self.source {
            let of_source = used.by_source.get(&source).copied().unwrap_or_default() + units;
            if of_source > self.limit.max_per_source {
                return Err(LimitReached);
            }
            used.by_source.insert(source, of_source);
        }
        used.total += units;
        self.units += units;
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut used = self.limit.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.total -= self.units;
        let Some(source) = self.source else { return };
        if let Some(of_source) = used.by_source.get_mut(&source) {
            *of_source -= self.units;
            if *of_source == 0 {
                used.by_source.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn source(last: u8) -> Option<Source> {
        Some(Source::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))))
    }

    #[test]
    fn units_are_limited_in_total_and_per_source_and_released_on_drop() {
        let limit = PerSourceLimit::new(5, 3);
        let mut first = limit.permit(source(1));
        assert_eq!(first.acquire(3), Ok(()));
        assert_eq!(limit.permit(source(1)).acquire(1), Err(LimitReached));
        let mut second = limit.permit(source(2));
        assert_eq!(second.acquire(3), Err(LimitReached));
        assert_eq!(second.acquire(2), Ok(()));
        assert_eq!(limit.permit(None).acquire(1), Err(LimitReached));
        drop(first);
        assert_eq!(limit.permit(source(2)).acquire(2), Err(LimitReached));
        assert_eq!(limit.permit(None).acquire(3), Ok(()));
        drop(second);
        assert!(limit.used.lock().unwrap().by_source.is_empty());
        assert_eq!(limit.permit(source(1)).acquire(3), Ok(()));
    }
}
