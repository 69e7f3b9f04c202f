//! Where a model is asked: the host of the configuration, at an address that was looked up once for this connection.
//!
//! Nothing else is ever connected to: no redirects, no proxy from the environment, no other name. A model may well
//! stand in the own network or on the own machine, so private addresses are fine; addresses that no model has, but the
//! services do that hand out a cloud machine's own keys, are not.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The name does not lead to any address that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to no address that may be asked")
    }
}

impl Error for Refused {}

/// Whether no model is asked at this address.
pub(super) fn is_refused(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => v4_is_refused(ip),
        IpAddr::V6(ip) => {
            ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unicast_link_local()
                // AWS's metadata service.
                || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
                || within_v6(ip).is_some_and(v4_is_refused)
        }
    }
}

/// The address of the old kind that one of the new kind leads to: mapped, compatible, NAT64 or 6to4.
fn within_v6(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if (high, low) != (0, 1) => Some(v4(high, low)),
        [0x64, 0xff9b, _, _, _, _, high, low] | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

fn v4_is_refused(ip: Ipv4Addr) -> bool {
    ip.is_unspecified()
        || ip.octets()[0] == 0
        || ip.is_broadcast()
        || ip.is_multicast()
        // Link-local, which has most clouds' metadata services; Alibaba Cloud's stands elsewhere.
        || ip.is_link_local()
        || ip == Ipv4Addr::new(100, 100, 100, 200)
}

/// Looks up the one name that it was made for.
struct Pinned {
    host: String,
}

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        let known = name.as_str().eq_ignore_ascii_case(&self.host);
        let host = self.host.clone();
        Box::pin(async move {
            if !known {
                return Err(Refused.into());
            }
            // Port 0 stands for that of the address.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|at| !is_refused(at.ip())).collect();
            if allowed.is_empty() { Err(Refused.into()) } else { Ok(Box::new(allowed.into_iter()) as Addrs) }
        })
    }
}

/// A client that connects to this address's host and nowhere else.
///
/// # Errors
/// What is wrong with the address, in words for the operator.
pub(super) fn client(url: &reqwest::Url, connect: Duration) -> Result<reqwest::Client, String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("base_url 要以 http:// 或 https:// 开头".into());
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("base_url 没有主机名")?;
    // Addresses in whatever way of writing (also decimal and octal) are plain after parsing.
    if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>()
        && is_refused(ip)
    {
        return Err(format!("{ip} 不是模型服务的地址（链路本地、组播或云主机元数据）"));
    }
    // A second installation is refused and harmless: the provider is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(connect)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .dns_resolver(Pinned { host: host.to_owned() })
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("zhitong/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("不能建立连接：{error}"))
}

/// Whether an error came from a refused address.
pub(super) fn was_refused(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.is::<Refused>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_hand_out_a_machines_keys_are_refused_in_every_way_of_writing() {
        for (host, refused) in [
            ("169.254.169.254", true),
            ("2852039166", true),
            ("0xa9.0xfe.0xa9.0xfe", true),
            ("0251.0376.0251.0376", true),
            ("100.100.100.200", true),
            ("0.0.0.0", true),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("[::]", true),
            ("[fe80::1]", true),
            ("[ff02::1]", true),
            ("[fd00:ec2::254]", true),
            ("[::ffff:169.254.169.254]", true),
            ("[::169.254.169.254]", true),
            ("[64:ff9b::169.254.169.254]", true),
            ("[2002:a9fe:a9fe::1]", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("[::1]", false),
            ("api.deepseek.com", false),
        ] {
            let url = reqwest::Url::parse(&format!("http://{host}/v1")).expect("an address");
            assert_eq!(client(&url, Duration::from_secs(1)).is_err(), refused, "{host}");
        }
        let ftp = reqwest::Url::parse("ftp://x/v1").expect("an address");
        assert!(client(&ftp, Duration::from_secs(1)).is_err());
    }

    #[tokio::test]
    async fn only_the_configured_name_is_looked_up() {
        let resolver = Pinned { host: "localhost".into() };
        let found = resolver.resolve("localhost".parse().expect("a name")).await.map(Iterator::count);
        assert!(found.is_ok_and(|count| count > 0));
        let other = resolver.resolve("example.com".parse().expect("a name")).await.map(Iterator::count);
        assert!(other.is_err_and(|error| error.is::<Refused>()));
    }
}
