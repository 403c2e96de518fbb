//! Whose address is it? An edge believes the tags of callers that it was told to trust.

use std::net::IpAddr;

/// A network, `10.1.0.0/16`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `address` or `address/bits`. `None` for anything else, also where bits behind the prefix are set: such a
    /// network is more often a slip than meant, and it decides who is trusted.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|b| b.is_ascii_digit()) => (address, Some(bits.parse().ok()?)),
            Some(_) => return None,
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let whole = width(address);
        let bits: u32 = bits.unwrap_or(whole);
        let network = match address.to_canonical() {
            v4 if v4 != address && bits >= 96 => Network { address: v4, bits: bits - 96 },
            _ if bits > whole => return None,
            _ => Network { address, bits },
        };
        (network.bits <= width(network.address) && number(network.address) & !network.mask() == 0).then_some(network)
    }

    /// Whether the address is in it. A mapped IPv4 address counts as the IPv4 address.
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && number(address) & self.mask() == number(self.address)
    }

    fn mask(&self) -> u128 {
        let host = width(self.address) - self.bits;
        // Numbers of both families end at bit 0.
        if host == 128 { 0 } else { u128::MAX << host & (u128::MAX >> (128 - width(self.address))) }
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address in a peer as frameworks spell it: `10.0.0.1`, `10.0.0.1:80`, `[::1]:80`, `fe80::1%eth0`, a leading `/`.
pub fn address_of(peer: &str) -> Option<IpAddr> {
    let peer = peer.strip_prefix('/').unwrap_or(peer);
    let host = match peer.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => peer,
    };
    let host = host.split('%').next().unwrap_or(host);
    let address: Option<IpAddr> = host.parse().ok();
    let address = address.or_else(|| host.rsplit_once(':').and_then(|(host, _)| host.parse().ok()));
    address.map(|a| a.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, peer: &str) -> bool {
        Network::parse(network).expect(network).holds(address_of(peer).expect(peer))
    }

    #[test]
    fn networks_and_addresses() {
        assert!(holds("10.1.0.0/16", "10.1.255.9:8080") && !holds("10.1.0.0/16", "10.2.0.1"));
        assert!(holds("10.1.2.3", "/10.1.2.3:80") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("fd00::/8", "[fd12::1]:80") && !holds("fd00::/8", "fe80::1%eth0"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1") && holds("::/0", "2001:db8::1"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1") && holds("::ffff:10.0.0.0/104", "10.9.9.9"));
        assert!(holds("::1", "0:0:0:0:0:0:0:1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["", "10.1.0.0/33", "10.1.0.1/16", "10.1.0.0/", "10.1.0.0/+8", "10.1", "host", "::/129", "fd00::1/8"]
        {
            assert_eq!(Network::parse(bad), None, "{bad:?}");
        }
        assert_eq!(address_of("shop.example:80"), None);
        assert_eq!(address_of(""), None);
    }
}
