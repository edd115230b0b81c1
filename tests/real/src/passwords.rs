//! Whether passwords in the application are those that Okta told last, also of who is inactive.

use okta::Okta;

use crate::app::{App, Done};

/// How many were asked, and which are wrong.
pub async fn compare(okta: &Okta, app: &impl App) -> Done<(usize, Vec<String>)> {
    let (mut asked, mut wrong) = (0, Vec::new());
    for person in okta.people() {
        let Some(told) = person.told.filter(|_| person.owed_password.is_none()) else { continue };
        let name = told.values.get("userName").and_then(|name| name.as_str());
        let (Some(login), Some(password)) = (name, told.password) else { continue };
        match app.is_password(login, &password).await? {
            None => return Ok((0, Vec::new())),
            Some(true) => asked += 1,
            Some(false) => {
                asked += 1;
                wrong.push(format!("{login} in the app: has not the password that Okta told"));
            }
        }
    }
    Ok((asked, wrong))
}
