//! Which client a request comes from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Each proxy appends the address that it forwards for.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The peer of a connection, in the extensions of each of its requests.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub IpAddr);

/// The unit of limits per client: an IPv4 address or the /64 network of an IPv6 address, since one
/// client usually owns the whole network.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
            }
            v4 => v4,
        })
    }
}

/// The address of the client: the peer or, if the peer is a trusted proxy, the last address in
/// `X-Forwarded-For` that is not a trusted proxy. Earlier entries are ignored, because the client
/// can forge them. If there is no such address, the peer is the client.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| contains(proxies, *address);
    if !is_trusted(&peer) {
        return peer;
    }
    let values: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    let entries = values.iter().rev().flat_map(|value| {
        value.as_bytes().rsplit(|byte| *byte == b',').map(|entry| entry.trim_ascii())
    });
    for entry in entries {
        match parse_address(entry) {
            Some(address) if is_trusted(&address) => {}
            Some(address) => return address,
            None => return peer,
        }
    }
    peer
}

pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Parses an address. Some proxies append the port.
fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address = text.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(peer: &str, forwarded: &[&str]) -> String {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, value.parse().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn forwarded_address_counts_only_from_a_trusted_proxy() {
        for (peer, forwarded, expected) in [
            ("203.0.113.7", &["198.51.100.1"][..], "203.0.113.7"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("2001:db8::1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["2001:db9::5"], "2001:db9::5"),
            // The client's own entries precede those of the proxy.
            ("10.0.0.1", &["192.0.2.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.1", "198.51.100.1, 10.0.0.9"], "198.51.100.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.9"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(address_of(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn ipv6_network_is_one_client() {
        let key = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        let same = |one: &str, other: &str| key(one) == key(other);
        assert!(same("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
