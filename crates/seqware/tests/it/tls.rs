//! A service that speaks TLS, and clients that trust what they are told to trust and nothing else.

use std::process::{Command, Stdio};

use crate::site::{Database, Site, skip};

/// Makes a certificate for 127.0.0.1 and its key.
fn certificate(folder: &std::path::Path, name: &str, days: &str) -> bool {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", days, "-subj", "/CN=niassa", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join(format!("{name}.key")))
        .arg("-out")
        .arg(folder.join(format!("{name}.pem")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
}

/// Starts a service with a certificate that is good for so many days.
fn secure_site(days: &str) -> Option<Site> {
    let site = Site::start_with(Database::Sqlite, |folder| {
        if !certificate(folder, "service", days) || !certificate(folder, "other", "2") {
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
    let Some(site) = secure_site("2") else { return };
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
fn check_says_when_the_certificate_ends() {
    for (days, verdict, words) in
        [("40", "good", "good for 39d"), ("20", "doubtful", "good for 19d"), ("2", "bad", "1d 23h")]
    {
        let Some(site) = secure_site(days) else { return };
        let found = certificate_found(&site);
        assert_eq!(found["verdict"], verdict, "{found}");
        assert!(found["finding"].as_str().unwrap().contains(words), "{found}");
        let fix = found["fix"].as_str().unwrap_or_default();
        assert_eq!(fix.contains("tls_cert"), verdict != "good", "{found}");
    }
}

#[test]
fn check_says_that_the_certificate_has_ended() {
    // It was good for no time at all.
    let Some(site) = secure_site("0") else { return };
    let found = certificate_found(&site);
    assert_eq!(found["verdict"], "bad", "{found}");
    assert!(found["finding"].as_str().unwrap().contains("expired"), "{found}");
    assert!(found["fix"].as_str().unwrap().contains("tls_cert"), "{found}");
}

/// Returns what `seqware check` says of the service's certificate.
fn certificate_found(site: &Site) -> serde_json::Value {
    let ca = site.path("service.pem").display().to_string();
    let admin = "SW_REST_USER=admin@lab.net\nSW_REST_PASS=admin-password\n";
    let settings = site.write_settings("checks", &format!("{admin}SW_REST_CA={ca}\n"));
    // A fresh folder has more to mend, so it ends 9 whatever the certificate is like.
    let said = settings.seqware(&["check", "--json"]);
    let found: Vec<serde_json::Value> = serde_json::from_str(&said.stdout).unwrap();
    let of = |found: &&serde_json::Value| found["check"] == "certificate";
    found.iter().find(of).unwrap_or_else(|| panic!("{}", said.stdout)).clone()
}

#[test]
fn passwords_do_not_cross_an_open_network() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let elsewhere = [("SW_REST_URL", "http://niassa.lab.net")];
    let refused = bob.seqware_with(&elsewhere, &["workflow", "list"]).fails(2);
    assert!(refused.stderr.contains("in clear"), "{}", refused.stderr);
}
