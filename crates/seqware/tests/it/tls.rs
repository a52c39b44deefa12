//! A service that speaks TLS, and clients that trust what they are told to trust and nothing else.

use std::process::{Command, Stdio};

use crate::site::{Database, Site, skip};

/// Makes a certificate for 127.0.0.1 and its key.
fn certificate(folder: &std::path::Path, name: &str) -> bool {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=niassa", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join(format!("{name}.key")))
        .arg("-out")
        .arg(folder.join(format!("{name}.pem")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
}

fn secure_site() -> Option<Site> {
    let site = Site::start_with(Database::Sqlite, |folder| {
        if !certificate(folder, "service") || !certificate(folder, "other") {
            return String::new();
        }
        let path = |name: &str| folder.join(name).display().to_string();
        format!("tls_cert = '{}'\ntls_key = '{}'\n", path("service.pem"), path("service.key"))
    })?;
    if !site.path("service.pem").exists() {
        skip("openssl is not installed");
        return None;
    }
    Some(site)
}

#[test]
fn a_certificate_is_trusted_when_the_settings_say_so() {
    let Some(site) = secure_site() else { return };
    assert!(site.url().starts_with("https://127.0.0.1:"), "{}", site.url());
    let admin = |name: &str, ca: &str| {
        let lines = "SW_REST_USER=admin@lab.net\nSW_REST_PASS=admin-password\n".to_owned();
        site.write_settings(name, &format!("{lines}{ca}"))
    };
    let ca = |name: &str| format!("SW_REST_CA={}\n", site.path(name).display());
    admin("trusts", &ca("service.pem")).seqware(&["workflow", "list"]).ok();
    let refused = admin("trusts-another", &ca("other.pem")).seqware(&["workflow", "list"]).fails(6);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    admin("trusts-nobody", "").seqware(&["workflow", "list"]).fails(6);
    admin("misses-it", &ca("nowhere.pem")).seqware(&["workflow", "list"]).fails(2);
}

#[test]
fn passwords_do_not_cross_an_open_network() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let elsewhere = [("SW_REST_URL", "http://niassa.lab.net")];
    let refused = bob.seqware_with(&elsewhere, &["workflow", "list"]).fails(2);
    assert!(refused.stderr.contains("in clear"), "{}", refused.stderr);
}
