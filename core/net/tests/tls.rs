//! TLS and mTLS between our client and server, with certificates made by openssl and changed under them.

mod common;

use bytes::Bytes;
use common::{block, io, serve, services};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use trilane_net::{Channel, ClientTls, Code, Identity, Limits, Request, ServerTls, Status};

/// A folder with an authority, gone with the test.
struct Authority {
    folder: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Option<Authority> {
        let folder = std::env::temp_dir().join(format!("trilane-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let authority = Authority { folder };
        authority.openssl(&["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test-ca"])?;
        Some(authority)
    }

    /// `None` where there is no openssl.
    fn openssl(&self, args: &[&str]) -> Option<()> {
        let mut command = Command::new("openssl");
        let made = command.args(args).args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        let made = made.args(["-days", "2"]).current_dir(&self.folder).output();
        match made {
            Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr)),
            Err(e) => {
                println!("skipped: openssl cannot be run: {e}");
                return None;
            }
        }
        Some(())
    }

    fn issue(&self, file: &str, name: &str) -> Identity {
        let (key, pem) = (format!("{file}.key"), format!("{file}.pem"));
        let names = format!("subjectAltName=DNS:{name}");
        let subject = format!("/CN={name}");
        let mut args = vec!["req", "-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", &subject];
        args.extend(["-addext", &names, "-addext", "basicConstraints=critical,CA:FALSE"]);
        args.extend(["-keyout", &key, "-out", &pem]);
        self.openssl(&args).unwrap();
        Identity { certificates: self.path(&pem), key: self.path(&key) }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn call(channel: &Channel) -> Status {
    block(channel.unary(Request::new("/t.Echo/Unary").timeout(Duration::from_secs(20)), Bytes::new())).status
}

fn channel(target: &str, roots: &Path, name: &str, identity: Option<Identity>) -> Channel {
    let tls = ClientTls { roots: Some(roots.into()), identity, server_name: Some(name.into()) };
    Channel::builder(target).tls(tls).open(&io()).unwrap()
}

/// The call failed, and says of which method and peer and what to do.
#[track_caller]
fn told(status: &Status, target: &str, parts: &[&str]) {
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    for part in parts.iter().chain(&["/t.Echo/Unary", target]) {
        assert!(status.message().contains(part), "{part:?} is missing: {status}");
    }
}

#[test]
fn tls_is_served_and_checked() {
    let Some(authority) = Authority::new("plain") else { return };
    let identity = authority.issue("server", "shop.test");
    let server = serve(services().tls(ServerTls { identity, clients: None }), &io());
    let target = server.local_addr().to_string();
    let roots = authority.path("ca.pem");
    assert!(call(&channel(&target, &roots, "shop.test", None)).is_ok());
    let other = call(&channel(&target, &roots, "other.test", None));
    assert_eq!(other.code(), Code::Unavailable);
    told(&other, &target, &["TLS", "its name"]);
    let Some(stranger) = Authority::new("stranger") else { return };
    let other = call(&channel(&target, &stranger.path("ca.pem"), "shop.test", None));
    told(&other, &target, &["TLS", "its authority is among the trusted ones"]);
    // Plaintext into a TLS port: an end, not a wait.
    told(&call(&Channel::builder(&target).open(&io()).unwrap()), &target, &["connection broke", "; "]);
    // And the other way round.
    let plain = serve(services(), &io());
    let target = plain.local_addr().to_string();
    told(
        &call(&channel(&target, &roots, "shop.test", None)),
        &target,
        &["TLS", "does the server speak TLS on this port"],
    );
}

#[test]
fn mtls_asks_for_a_certificate_and_shows_it_to_the_handler() {
    let Some(authority) = Authority::new("mtls") else { return };
    let identity = authority.issue("server", "shop.test");
    let roots = authority.path("ca.pem");
    let builder = services().tls(ServerTls { identity, clients: Some(roots.clone()) });
    let builder = builder.unary("/t.Echo/Who", |call, _| Ok(call.peer().certificates.len().to_string().into()));
    let server = serve(builder, &io());
    let target = server.local_addr().to_string();
    let own = authority.issue("client", "alice.test");
    let alice = channel(&target, &roots, "shop.test", Some(own));
    assert_eq!(block(alice.unary(Request::new("/t.Echo/Who"), Bytes::new())).into_result().unwrap(), "1");
    let nobody = call(&channel(&target, &roots, "shop.test", None));
    told(&nobody, &target, &["; "]);
}

#[test]
fn a_changed_certificate_is_served_and_a_bad_one_is_not() {
    let Some(authority) = Authority::new("reload") else { return };
    let identity = authority.issue("server", "old.test");
    let server = serve(services().tls(ServerTls { identity: identity.clone(), clients: None }), &io());
    let (target, roots) = (server.local_addr().to_string(), authority.path("ca.pem"));
    let old = channel(&target, &roots, "old.test", None);
    assert!(call(&old).is_ok());
    std::fs::write(&identity.certificates, "rubbish").unwrap();
    let until = |name: &str| {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if call(&channel(&target, &roots, name, None)).is_ok() {
                return true;
            }
        }
        false
    };
    assert!(until("old.test"), "the last good certificate stays");
    authority.issue("server", "new.test");
    assert!(until("new.test"), "the new certificate is served without a restart");
    assert!(call(&old).is_ok(), "a connection made before goes on");
}

/// Both sides' files are written again and again, piece by piece, under callers whose connections last milliseconds:
/// no call fails, and in the end both sides show what came last.
#[test]
fn certificates_change_under_load_and_no_call_notices() {
    let Some(authority) = Authority::new("load") else { return };
    let (identity, own) = (authority.issue("server", "shop.test"), authority.issue("client", "first.test"));
    let roots = authority.path("ca.pem");
    let (shown, seen) = (Arc::new(Mutex::new(HashSet::new())), AtomicU64::new(0));
    let noted = shown.clone();
    let limits = Limits { max_connection_age: Duration::from_millis(20), ..Limits::default() };
    let builder = services().limits(limits).tls(ServerTls { identity, clients: Some(roots.clone()) });
    let builder = builder.unary("/t.Echo/Who", move |call, message| {
        noted.lock().unwrap().insert(call.peer().certificates[0].clone());
        Ok(message)
    });
    let server = serve(builder, &io());
    let target = server.local_addr().to_string();
    let caller = channel(&target, &roots, "shop.test", Some(own));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for n in 0..4u8 {
            let (caller, over, seen) = (&caller, &over, &seen);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let id = Bytes::from(vec![n; 3]);
                    let outcome = block(caller.unary(Request::new("/t.Echo/Who").wait_for_ready(true), id.clone()));
                    assert_eq!(outcome.into_result().unwrap(), id);
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // The server's new certificate has another name too; it is asked for until it is shown.
        let end = Instant::now() + Duration::from_secs(60);
        let mut changed = false;
        while !(changed && seen.load(Ordering::Relaxed) > 100) && Instant::now() < end {
            authority.issue("client", "second.test");
            authority.issue("server", "shop.test,DNS:new.test");
            let other = Identity { certificates: authority.path("client.pem"), key: authority.path("client.key") };
            let fresh = channel(&target, &roots, "new.test", Some(other));
            changed |= call(&fresh).is_ok() && shown.lock().unwrap().len() > 1;
        }
        over.store(true, Ordering::Relaxed);
        assert!(changed, "both new certificates are shown");
    });
    assert!(seen.load(Ordering::Relaxed) > 100);
}

#[test]
fn files_that_are_not_there_are_named() {
    let missing = Identity { certificates: "nowhere.pem".into(), key: "nowhere.key".into() };
    let tls = ServerTls { identity: missing, clients: None };
    let refused = services().tls(tls).listen("127.0.0.1:0".parse().unwrap(), &io()).err().unwrap();
    assert!(refused.to_string().contains("nowhere.pem"), "{refused}");
}
