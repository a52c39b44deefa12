//! A service that speaks TLS, and clients that trust what they are told to trust and nothing else.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier, OctetString, UtcTime};
use x509_cert::der::{Encode, Tag, TagNumber};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};
use x509_cert::name::Name;

use crate::site::{Database, Site};

const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const P_256: &str = "1.2.840.10045.3.1.7";
const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";

/// Makes a certificate for 127.0.0.1, good from ten days ago until so many days from now, and its key.
fn certificate(folder: &Path, name: &str, days: i64) {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref()).unwrap();
    let signed_with = sequence(&[oid(ECDSA_WITH_SHA256)]);
    let contents = contents(pair.public_key().as_ref(), &signed_with, days);
    let signature = pair.sign(&random, &contents).unwrap();
    let certificate = sequence(&[contents, signed_with, bits(signature.as_ref())]);
    write_pem(&folder.join(format!("{name}.pem")), "CERTIFICATE", &certificate);
    write_pem(&folder.join(format!("{name}.key")), "PRIVATE KEY", key.as_ref());
}

/// What a certificate says and its signature vouches for (RFC 5280, 4.1.2).
fn contents(public_key: &[u8], signed_with: &[u8], days: i64) -> Vec<u8> {
    let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let extensions = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };
    let name = "CN=niassa".parse::<Name>().unwrap().to_der().unwrap();
    let address = GeneralName::IpAddress(OctetString::new([127, 0, 0, 1]).unwrap());
    let not_an_authority = BasicConstraints { ca: false, path_len_constraint: None };
    sequence(&[
        tagged(version, &[2_u8.to_der().unwrap()]),
        rand::random_range(1..i64::MAX).to_der().unwrap(),
        signed_with.to_vec(),
        name.clone(),
        sequence(&[time(-10), time(days)]),
        name,
        sequence(&[sequence(&[oid(EC_PUBLIC_KEY), oid(P_256)]), bits(public_key)]),
        tagged(
            extensions,
            &[sequence(&[
                extension(BASIC_CONSTRAINTS, &not_an_authority),
                extension(SUBJECT_ALT_NAME, &SubjectAltName(vec![address])),
            ])],
        ),
    ])
}

fn extension(id: &str, value: &impl Encode) -> Vec<u8> {
    let value = OctetString::new(value.to_der().unwrap()).unwrap();
    sequence(&[oid(id), value.to_der().unwrap()])
}

fn tagged(tag: Tag, parts: &[Vec<u8>]) -> Vec<u8> {
    Any::new(tag, parts.concat()).unwrap().to_der().unwrap()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(Tag::Sequence, parts)
}

fn oid(text: &str) -> Vec<u8> {
    ObjectIdentifier::new(text).unwrap().to_der().unwrap()
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    BitString::from_bytes(bytes).unwrap().to_der().unwrap()
}

/// The moment so many days from now.
fn time(days: i64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let moment = Duration::from_secs(now.checked_add_signed(days * 86_400).unwrap());
    UtcTime::from_unix_duration(moment).unwrap().to_der().unwrap()
}

fn write_pem(path: &Path, label: &str, contents: &[u8]) {
    let text = BASE64_STANDARD.encode(contents);
    let lines = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap());
    let lines = lines.collect::<Vec<_>>().join("\n");
    fs::write(path, format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")).unwrap();
}

/// Starts a service with a certificate that ends so many days from now.
fn secure_site(days: i64) -> Site {
    let site = Site::start_with(Database::Sqlite, |folder| {
        certificate(folder, "service", days);
        certificate(folder, "other", 2);
        let path = |name: &str| folder.join(name).display().to_string();
        format!("tls_cert = '{}'\ntls_key = '{}'\n", path("service.pem"), path("service.key"))
    });
    site.expect("SQLite is always there")
}

#[test]
fn a_certificate_is_trusted_when_the_settings_say_so() {
    let site = secure_site(2);
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
        [(40, "good", "good for 39d"), (20, "doubtful", "good for 19d"), (2, "bad", "1d 23h")]
    {
        let site = secure_site(days);
        let found = certificate_found(&site);
        assert_eq!(found["verdict"], verdict, "{found}");
        assert!(found["finding"].as_str().unwrap().contains(words), "{found}");
        let fix = found["fix"].as_str().unwrap_or_default();
        assert_eq!(fix.contains("tls_cert"), verdict != "good", "{found}");
    }
}

#[test]
fn check_says_that_the_certificate_has_ended() {
    let site = secure_site(-1);
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
