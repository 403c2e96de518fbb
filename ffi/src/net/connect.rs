//! Where a channel leads, and its TLS.

use super::server::sized;
use super::{Kind, TrilaneChannel, TrilaneNet};
use crate::boundary;
use crate::error::{TrilaneError, TrilaneStatus, refuse};
use crate::text::TrilaneStr;
use std::path::PathBuf;
use trilane_engine::{Engine, transport};
use trilane_net::{Channel, ClientTls, Identity};

/// Speak TLS, whether or not `roots` is given.
pub const TRILANE_CONNECT_TLS: u32 = 1;

/// Where a channel leads, and its TLS. Files are PEM, and are read again when they change.
#[repr(C)]
pub struct TrilaneConnect {
    /// `sizeof(trilane_connect)`.
    pub struct_size: usize,
    /// `host:port`; several with commas.
    pub targets: TrilaneStr,
    /// `TRILANE_CONNECT_…`.
    pub flags: u32,
    /// The file of the certificates that the server's must come from: it speaks TLS. Absent: the system's, if it speaks
    /// TLS because of its flag.
    pub roots: TrilaneStr,
    /// The client's own certificate chain, leaf first, for servers that want one (mTLS); absent: none.
    pub certificates: TrilaneStr,
    /// The file of its private key.
    pub key: TrilaneStr,
    /// The name that the server's certificate must have; absent: the host of the first target.
    pub server_name: TrilaneStr,
}

/// A channel to `host:port`; several with commas. `roots` names a PEM file: then it speaks TLS and trusts those;
/// absent: plaintext. Connects when the first call comes. Where the process's engine has rules that name a single
/// target as an authority, its calls go to the instances that they give it, by the lane of each call.
///
/// # Safety
/// The texts' pointers are NULL or valid; `channel_out` and `error_out` are NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_channel_open(
    net: Option<&TrilaneNet>,
    targets: TrilaneStr,
    roots: TrilaneStr,
    channel_out: Option<&mut *mut TrilaneChannel>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        // SAFETY: the caller's promise.
        let (Some(targets), Some(roots)) = (unsafe { (targets.text(), roots.text()) }) else {
            return TrilaneStatus::NotUtf8;
        };
        let tls = (!roots.is_empty()).then(|| ClientTls { roots: Some(roots.into()), ..ClientTls::default() });
        open(net, targets, tls, channel_out, error_out)
    })
}

/// As `trilane_channel_open`, with everything that can be said of TLS: the system's certificates, one of the client's
/// own, another name.
///
/// # Safety
/// `connect` and its texts are NULL or valid; `channel_out` and `error_out` are NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_channel_connect(
    net: Option<&TrilaneNet>,
    connect: Option<&TrilaneConnect>,
    channel_out: Option<&mut *mut TrilaneChannel>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some(connect) = connect else { return TrilaneStatus::NullArgument };
        if let Err((status, why)) = sized(connect.struct_size, size_of::<TrilaneConnect>(), "trilane_connect") {
            return refuse(error_out, status, why);
        }
        let texts = [connect.targets, connect.roots, connect.certificates, connect.key, connect.server_name];
        // SAFETY: the caller's promise.
        let [Some(targets), Some(roots), Some(certificates), Some(key), Some(name)] =
            texts.map(|t| unsafe { t.text() })
        else {
            return TrilaneStatus::NotUtf8;
        };
        let tls = match tls(connect.flags, roots, (certificates, key), name) {
            Ok(tls) => tls,
            Err(why) => return refuse(error_out, TrilaneStatus::Internal, format!("trilane_connect: {why}")),
        };
        open(net, targets, tls, channel_out, error_out)
    })
}

/// What the struct says of TLS; `None`: plaintext.
fn tls(flags: u32, roots: &str, own: (&str, &str), name: &str) -> Result<Option<ClientTls>, String> {
    if flags & !TRILANE_CONNECT_TLS != 0 {
        return Err(format!("flags {flags:#x} are not known; TRILANE_CONNECT_TLS (1) is"));
    }
    let identity = match own {
        ("", "") => None,
        ("", _) => return Err("key is set without certificates; name both files, or none".into()),
        (_, "") => return Err("certificates is set without key; name both files, or none".into()),
        (certificates, key) => Some(Identity { certificates: certificates.into(), key: key.into() }),
    };
    if flags == 0 && roots.is_empty() {
        return match (identity, name) {
            (None, "") => Ok(None),
            _ => Err("a certificate or a server_name without TLS; name the trusted roots, or ask for TLS".into()),
        };
    }
    let given = |text: &str| (!text.is_empty()).then(|| text.to_string());
    Ok(Some(ClientTls { roots: given(roots).map(PathBuf::from), identity, server_name: given(name) }))
}

fn open(
    net: Option<&TrilaneNet>,
    targets: &str,
    tls: Option<ClientTls>,
    channel_out: Option<&mut *mut TrilaneChannel>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    let (Some(net), Some(out)) = (net, channel_out) else { return TrilaneStatus::NullArgument };
    let mut builder = Channel::to_all(targets.split(',').map(str::trim).filter(|t| !t.is_empty()));
    if !targets.contains(',') {
        builder = transport::routed(Engine::default, targets.trim(), builder);
    }
    if let Some(tls) = tls {
        builder = builder.tls(tls);
    }
    match builder.open(&net.io) {
        Ok(channel) => {
            let (queue, authority) = (net.queue.clone(), targets.trim().to_string());
            *out = Box::into_raw(Box::new(TrilaneChannel { kind: Kind::Net(channel), queue, authority }));
            TrilaneStatus::Ok
        }
        Err(e) => refuse(error_out, TrilaneStatus::Internal, e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_itself_is_refused_in_words() {
        for (flags, roots, own, name, why) in [
            (2, "", ("", ""), "", "flags 0x2"),
            (1, "", ("", "k"), "", "key is set without certificates"),
            (1, "", ("c", ""), "", "certificates is set without key"),
            (0, "", ("c", "k"), "", "without TLS"),
            (0, "", ("", ""), "shop", "without TLS"),
        ] {
            let refused = tls(flags, roots, own, name).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        assert!(tls(0, "", ("", ""), "").unwrap().is_none(), "plaintext");
        assert!(tls(1, "", ("", ""), "").unwrap().unwrap().roots.is_none(), "the system's certificates");
        let all = tls(0, "r", ("c", "k"), "n").unwrap().unwrap();
        assert!(all.roots.is_some() && all.identity.is_some() && all.server_name.as_deref() == Some("n"));
    }
}
