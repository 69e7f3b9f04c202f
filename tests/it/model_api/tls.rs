//! An endpoint behind HTTPS with a certificate of an authority of its own, made here: used when the system trusts the
//! authority and the name fits, and told nothing otherwise.

use std::{path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use super::{KEY, standin::Standin};

/// An authority and a server's certificate of it for this name: the authority in PEM, the server's TLS.
fn authority(name: &str) -> (String, TlsAcceptor) {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority_key = KeyPair::generate().expect("a key");
    let pem = authority.self_signed(&authority_key).expect("signed").pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let server =
        CertificateParams::new(vec![name.to_owned()]).expect("a name").signed_by(&key, &issuer).expect("signed");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], key)
        .expect("a certificate and its key");
    (pem, TlsAcceptor::from(Arc::new(config)))
}

/// Exit code and failure of a probe; `trusted` is what the system is told to trust.
async fn probe(folder: &Path, standin: &Standin, trusted: &str) -> (Option<i32>, Value, String) {
    let model = format!(
        "[model]\nname = \"local\"\nprofile = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\napi_key = \"{KEY}\"\n",
        standin.base
    );
    std::fs::write(folder.join("zhitong.toml"), model).expect("a configuration");
    std::fs::write(folder.join("trusted.pem"), trusted).expect("an authority");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_zhitong"))
        .args(["model", "probe", "--json"])
        .current_dir(folder)
        .env("SSL_CERT_FILE", folder.join("trusted.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .await
        .expect("it runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&out).unwrap_or_default();
    (output.status.code(), report["endpoints"][0]["findings"][0]["failure"].clone(), out)
}

#[tokio::test]
async fn an_endpoint_behind_https_is_used_when_its_authority_is_trusted_and_its_name_fits() {
    let folder = tempfile::tempdir().expect("a folder");
    let (trusted, acceptor) = authority("localhost");
    let standin = Standin::behind_tls(acceptor).await;
    let (code, failure, out) = probe(folder.path(), &standin, &trusted).await;
    assert_eq!((code, failure), (Some(0), Value::Null), "{out}");
    let calls = standin.calls().len();
    assert!(calls > 0);

    // Another authority of the same name, and a certificate for another host.
    let (stranger, _) = authority("localhost");
    let (code, failure, out) = probe(folder.path(), &standin, &stranger).await;
    assert_eq!((code, failure), (Some(1), json!("connect")), "{out}");
    assert_eq!(standin.calls().len(), calls, "nothing was told");
    let (trusted, acceptor) = authority("other.example");
    let other = Standin::behind_tls(acceptor).await;
    let (code, failure, out) = probe(folder.path(), &other, &trusted).await;
    assert_eq!((code, failure), (Some(1), json!("connect")), "{out}");
    assert_eq!(other.calls().len(), 0, "nothing was told");
}
