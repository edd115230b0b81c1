//! A client that only reads: no write leaves, whoever planned it; what is read is seen.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use super::server::*;
use crate::app::{AppClient, Carried, Carrier, Exchange, Incoming, Outgoing, Phase, Tap};
use crate::mapping::{Method, StepClass};

/// Answers everything, and keeps what came.
#[derive(Default)]
struct App(Mutex<Vec<String>>);

impl Carrier for App {
    fn carry(&self, message: Outgoing) -> Pin<Box<dyn Future<Output = Carried> + Send + '_>> {
        self.0.lock().unwrap().push(message.method);
        let body = b"{\"id\":7}".to_vec();
        Box::pin(std::future::ready(Carried::Answered(Incoming {
            status: 200,
            headers: Vec::new(),
            body,
        })))
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Tap for Seen {
    fn sends(&self, message: Outgoing) {
        self.0.lock().unwrap().push(format!("{} {}", message.method, message.target));
    }

    fn came(&self, call: &str, incoming: &Incoming) {
        self.0.lock().unwrap().push(format!("{call}: {}", incoming.status));
    }
}

const METHODS: [Method; 5] =
    [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];
const WRITES: [StepClass; 3] = [StepClass::Idempotent, StepClass::Create, StepClass::Other];

#[tokio::test]
async fn no_call_that_may_write_leaves_a_client_that_only_reads() {
    let app = Arc::new(App::default());
    let carrier: Arc<dyn Carrier> = app.clone();
    let seen = Arc::new(Seen::default());
    let url = || connection("http://127.0.0.1:9/api".to_owned());
    let reading = AppClient::reading(url(), Arc::new(Store), Some(&carrier), seen.clone()).unwrap();
    let working = AppClient::over(url(), Arc::new(Store), &carrier).unwrap();
    for method in METHODS {
        for class in WRITES {
            let mut request = planned(method, "/users/7", None);
            request.class = class;
            let refused = not_sent(reading.exchange(&request, later()).await, Phase::Prepare);
            assert!(refused.why.contains("may write"), "{}", refused.why);
            assert!(app.0.lock().unwrap().is_empty() && seen.0.lock().unwrap().is_empty());
            // The control: the same request by a client that works arrives.
            assert!(matches!(working.exchange(&request, later()).await, Exchange::Answered(_)));
            assert_eq!(std::mem::take(&mut *app.0.lock().unwrap()), [method.as_str()]);
        }
    }
    answered(reading.exchange(&get(), later()).await);
    assert_eq!(*app.0.lock().unwrap(), ["GET"]);
    assert_eq!(*seen.0.lock().unwrap(), ["GET /users/7", "test: 200"]);
}
