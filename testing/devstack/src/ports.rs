//! Ports that nothing else on this machine listens on.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Error, Result};

/// Below the range from which the kernel takes the ports of outgoing connections, so that none of those is in the way.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of 127.0.0.1 that is free now and that this process hands out only once.
pub fn free() -> Result<u16> {
    let start = starting_point();
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    (0..COUNT)
        .map(|step| FIRST + (start + step) % COUNT)
        .find(|port| !handed_out.contains(port) && is_free(*port))
        .inspect(|port| {
            handed_out.insert(*port);
        })
        .ok_or_else(|| {
            Error::Setting(format!(
                "no port between {FIRST} and {} is free on 127.0.0.1; stop what listens there",
                FIRST + COUNT
            ))
        })
}

/// The port of choice when it is free, otherwise any free one.
pub fn preferably(port: u16) -> Result<u16> {
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if is_free(port) && handed_out.insert(port) {
        return Ok(port);
    }
    drop(handed_out);
    free()
}

/// That very port, if nobody listens there.
pub fn exactly(port: u16) -> Result<u16> {
    if is_free(port) {
        return Ok(port);
    }
    Err(Error::Setting(format!(
        "port {port} on 127.0.0.1 is taken; stop what listens there, or choose another one"
    )))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Differs between processes that start at once, so that they don't race for the same ports.
fn starting_point() -> u16 {
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
    fn no_port_is_handed_out_twice() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 50);
    }

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(preferably(port).unwrap(), port);
        assert!(exactly(port).unwrap_err().to_string().contains(&port.to_string()));
    }
}
