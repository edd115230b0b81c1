//! TLS and the proxy: whatever fails before HTTP is not sent.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    sync::oneshot,
    time::Instant,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, RootCertStore, ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    },
};

use super::server::*;
use crate::app::{AppClient, ClientCert, Connection, Phase};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server for this name that asks for client certificates if `asks`.
    fn acceptor(&self, name: &str, asks: bool) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let roots = Arc::new(roots);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    fn client_certificate(&self) -> ClientCert {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["bridge".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert, key_file) = (self.file("client.pem"), self.file("client.key"));
        std::fs::write(&cert, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        ClientCert { cert, key: key_file }
    }

    fn trusted(&self, url: String) -> Connection {
        Connection { ca: Some(self.file("ca.pem")), ..connection(url) }
    }
}

/// Answers one request over TLS, if the handshake succeeds.
async fn answer_over_tls(acceptor: TlsAcceptor, stream: TcpStream, answer: &str) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    if read_request(&mut stream).await.is_some() {
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_trusted_server_answers() {
    let authority = Authority::new();
    for name in ["localhost", "127.0.0.1"] {
        let acceptor = authority.acceptor(name, false);
        let address =
            serving(|stream| async move { answer_over_tls(acceptor, stream, OK).await }).await;
        let url = format!("https://{name}:{}", address.port());
        let exchange = client_of(authority.trusted(url)).exchange(&post(), later()).await;
        assert_eq!(answered(exchange).status, 200);
    }
}

#[tokio::test]
async fn a_close_after_the_request_is_in_doubt_over_tls_too() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("127.0.0.1", false);
    let address =
        serving(|stream| async move { answer_over_tls(acceptor, stream, "").await }).await;
    let client = client_of(authority.trusted(format!("https://{address}")));
    let doubt = in_doubt(client.exchange(&post(), later()).await);
    assert!(doubt.sent > 0 && doubt.status.is_none(), "{doubt}");
}

#[tokio::test]
async fn an_untrusted_server_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let acceptors = [other.acceptor("127.0.0.1", false), authority.acceptor("localhost", false)];
    for acceptor in acceptors {
        let address =
            serving(|stream| async move { answer_over_tls(acceptor, stream, OK).await }).await;
        // `insecure` allows plain http; it does not switch the check off.
        let trusted = authority.trusted(format!("https://{address}"));
        let client = client_of(Connection { insecure: true, ..trusted });
        let why = not_sent(client.exchange(&post(), later()).await, Phase::Tls).why;
        assert!(why.contains("certificate"), "{why}");
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing() {
    let authority = Authority::new();
    let address = serving(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    let client = client_of(authority.trusted(format!("https://{address}")));
    let why = not_sent(client.exchange(&post(), later()).await, Phase::Tls).why;
    assert!(why.contains("may not speak TLS"), "{why}");
}

#[tokio::test]
async fn a_handshake_that_hangs_is_not_sent() {
    let authority = Authority::new();
    let (accepted, has_accepted) = oneshot::channel();
    let address = serving(move |mut stream| async move {
        // Something of the handshake has come: the client waits for ours.
        stream.read_u8().await.unwrap();
        accepted.send(()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let client = client_of(authority.trusted(format!("https://{address}")));
    let deadline = Instant::now() + Duration::from_secs(99);
    let exchange = tokio::spawn(async move { client.exchange(&post(), deadline).await });
    has_accepted.await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(100)).await;
    not_sent(exchange.await.unwrap(), Phase::Tls);
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("127.0.0.1", true);
    let address =
        serving(|stream| async move { answer_over_tls(acceptor, stream, OK).await }).await;
    let trusted = authority.trusted(format!("https://{address}"));
    let client_cert = Some(authority.client_certificate());
    let client = client_of(Connection { client_cert, ..trusted });
    assert_eq!(answered(client.exchange(&post(), later()).await).status, 200);
}

#[test]
fn a_pem_file_without_certificate_is_named() {
    let authority = Authority::new();
    let empty = authority.file("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let connection = Connection { ca: Some(empty), ..connection("https://app.example".to_owned()) };
    let error = AppClient::new(connection, Arc::new(Store)).map(drop).unwrap_err();
    assert!(error.to_string().contains("empty.pem"), "{error}");
}

#[tokio::test]
async fn a_proxy_opens_a_tunnel() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("app.example", false);
    let app = serving(|stream| async move { answer_over_tls(acceptor, stream, OK).await }).await;
    let (asked, question) = oneshot::channel();
    let proxy = serving(move |mut stream| async move {
        asked.send(read_request(&mut stream).await.unwrap()).unwrap();
        stream.write_all(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n").await.unwrap();
        let mut onward = TcpStream::connect(app).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut onward).await;
    })
    .await;
    let trusted = authority.trusted("https://app.example".to_owned());
    let proxy = Some(format!("http://me:p%40ss@{proxy}/"));
    let client = client_of(Connection { proxy, ..trusted });
    assert_eq!(answered(client.exchange(&post(), later()).await).status, 200);
    let question = question.await.unwrap();
    // The name goes to the proxy; it is not looked up here.
    assert!(question.starts_with("CONNECT app.example:443 HTTP/1.1\r\nhost: app.example:443\r\n"));
    assert!(question.contains("proxy-authorization: Basic bWU6cEBzcw==\r\n"), "{question}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_not_sent() {
    for (answer, says) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        ("SSH-2.0-x\r\n\r\n", "HTTP"),
        ("HTTP/1.1 200", "whole"),
    ] {
        let (proxy, _) = answering(answer).await;
        let proxy = Some(format!("http://{proxy}"));
        let client = client_of(Connection { proxy, ..connection("http://127.0.0.1:9".to_owned()) });
        let why = not_sent(client.exchange(&post(), later()).await, Phase::Proxy).why;
        assert!(why.contains(says), "{why}");
    }
}
