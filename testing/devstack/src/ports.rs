//! Free ports of 127.0.0.1.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Error, Result};

/// Below the kernel's range for outgoing connections, which could otherwise occupy the port.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Returns a port of 127.0.0.1 that is free now. This process gets each port only once.
pub fn find_free() -> Result<u16> {
    let start = start_offset();
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    (0..COUNT)
        .map(|step| FIRST + (start + step) % COUNT)
        .find(|port| !handed_out.contains(port) && is_free(*port))
        .inspect(|port| {
            handed_out.insert(*port);
        })
        .ok_or_else(|| {
            Error::Setting(format!(
                "no port between {FIRST} and {} is free on 127.0.0.1; stop a program that uses one",
                FIRST + COUNT
            ))
        })
}

/// Returns this port if it is free, otherwise any free one.
pub fn prefer(port: u16) -> Result<u16> {
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if is_free(port) && handed_out.insert(port) {
        return Ok(port);
    }
    drop(handed_out);
    find_free()
}

/// Returns this port if it is free.
pub fn require(port: u16) -> Result<u16> {
    if is_free(port) {
        return Ok(port);
    }
    Err(Error::Setting(format!(
        "port {port} on 127.0.0.1 is in use; stop the program that uses it, or choose another port"
    )))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Differs between processes that start at the same time, so that they don't compete for the same ports.
fn start_offset() -> u16 {
    let nanos =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let mixed = u64::from(nanos / 1_000).wrapping_mul(2_654_435_761)
        ^ u64::from(std::process::id()).wrapping_mul(40_503);
    u16::try_from(mixed % u64::from(COUNT)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_free_called_repeatedly_returns_distinct_ports() {
        let ports: BTreeSet<u16> = (0..50).map(|_| find_free().unwrap()).collect();
        assert_eq!(ports.len(), 50);
    }

    #[test]
    fn port_in_use_is_replaced_or_reported() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(prefer(port).unwrap(), port);
        assert!(require(port).unwrap_err().to_string().contains(&port.to_string()));
    }
}
