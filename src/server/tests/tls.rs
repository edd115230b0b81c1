//! HTTPS: it works, takes new certificates while running, and survives bad ones.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;
use crate::server::{ServerError, TlsFiles};

/// Writes a new self-signed pair and gives its certificate.
fn write_pair(files: &TlsFiles, year: i32) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(&files.cert, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    certificate.der().clone()
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") }
}

async fn bench(files: &TlsFiles) -> Bench {
    let mut config = config();
    config.tls = Some(files.clone());
    Bench::with(config).await
}

/// One request by a client that trusts this certificate only.
async fn get(bench: &Bench, trusted: &CertificateDer<'static>) -> std::io::Result<Got> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(bench.running.scim_addr()).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let headers = ["Authorization: Bearer good", "Connection: close"];
    let text = request("GET", "/altr/scim/v2/Users/1", &headers, "");
    Ok(talk(stream, &text).await.remove(0))
}

#[tokio::test]
async fn https_is_spoken_and_shown_in_locations() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let certificate = write_pair(&files, 2090);
    let bench = bench(&files).await;
    let got = get(&bench, &certificate).await.unwrap();
    let location = "https://bridge.example/altr/scim/v2/Users/1";
    assert_eq!(got.json()["meta"]["location"], location);
    assert!(bench.running.base_url("altr").unwrap().starts_with("https://"));
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_bad_one_is_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let old = write_pair(&files, 2090);
    let bench = bench(&files).await;

    let new = write_pair(&files, 2091);
    bench.running.reload().await;
    assert!(get(&bench, &new).await.is_ok());
    assert!(get(&bench, &old).await.is_err());

    let alarms = |count: u32| {
        let line = format!(r#"alarms_total{{code="tls-reload-failed"}} {count}"#);
        let text = bench.metrics.encode();
        assert!(text.contains(&line), "{text}");
    };
    std::fs::write(&files.cert, "not PEM").unwrap();
    bench.running.reload().await;
    bench.running.reload().await;
    alarms(1);
    std::fs::remove_file(&files.key).unwrap();
    bench.running.reload().await;
    alarms(2);
    assert!(get(&bench, &new).await.is_ok(), "the old one stays in use");

    let newest = write_pair(&files, 2092);
    bench.running.reload().await;
    assert!(get(&bench, &newest).await.is_ok());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let old = write_pair(&files, 2090);
    let bench = bench(&files).await;
    let key = KeyPair::generate().unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    bench.running.reload().await;
    assert!(get(&bench, &old).await.is_ok());
}

#[tokio::test]
async fn the_end_of_the_certificate_is_a_number() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    write_pair(&files, 2090);
    let bench = bench(&files).await;
    let shown = || {
        let text = bench.metrics.encode();
        let name = "scim_bridge_certificate_expires_seconds{} ";
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().parse::<f64>().unwrap()
    };
    let before = shown();
    assert!(before > 0.0);
    write_pair(&files, 2000);
    bench.running.reload().await;
    assert!(shown() < 0.0, "expired");
}

#[tokio::test]
async fn the_server_does_not_start_without_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let start = async || {
        let mut config = config();
        config.tls = Some(files.clone());
        let (metrics, feed) = (Arc::new(Metrics::new()), Feed::new());
        let engine = Arc::new(Scripted::default());
        let started = start_with(config, engine, metrics, feed).await;
        let error = started.err().unwrap();
        assert!(matches!(error, ServerError::Tls(_)), "{error}");
        error.to_string()
    };
    assert!(start().await.contains("--tls-cert"), "names what is missing");
    write_pair(&files, 2090);
    std::fs::write(&files.key, "").unwrap();
    assert!(start().await.contains("--tls-key"));
}

#[tokio::test]
async fn clear_text_on_the_https_port_ends_the_connection_only() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let certificate = write_pair(&files, 2090);
    let bench = bench(&files).await;
    let mut stream = TcpStream::connect(bench.running.scim_addr()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // An alert or nothing; no HTTP.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    assert!(get(&bench, &certificate).await.is_ok());
}
