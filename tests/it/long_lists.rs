//! Lists that take longer than a client waits.

use super::support::World;
use super::support::http::{encoded, guarded};
use super::support::people::user;
use super::support::text::with_key;

#[tokio::test]
async fn a_list_that_nobody_waited_for_is_given_to_who_comes_back() {
    let hurried = |text: &str| with_key(text, "sync", "list", "{ wait: 0s }");
    let world = World::with("directory", hurried).await;
    for name in ["ada@corp.example", "bob@corp.example"] {
        world.create(&user(name, "A", "B")).await;
    }
    let path = format!("/Users?filter={}&startIndex=1&count=100", encoded("not (title pr)"));
    let first = world.get(&path).await;
    first.expect_error(429);
    assert_eq!(first.header("retry-after"), Some("60"));
    let list = guarded("the list is given", async {
        loop {
            let answer = world.get(&path).await;
            if answer.status == 200 {
                return answer.json();
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(list.await["totalResults"], 2);
    // It is given once: who begins anew gets a list of now.
    world.get(&path).await.expect_error(429);
}
