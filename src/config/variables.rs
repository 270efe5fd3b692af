//! The environment alone as configuration: without a file, a handful of variables are enough.
//!
//! They are written down as the file that would say the same, and that file is read: one set of rules for both.

use std::path::PathBuf;

use super::environment::Environment;
use super::problem::Problem;

/// What stands for the file in complaints.
pub(super) const NAME: &str = "environment";

/// Says that the state is here.
const STATE: &str = "TALLYHOOK_STATE";
/// Says where to listen.
const LISTEN: &str = "TALLYHOOK_LISTEN";
/// The source's secret, without which nothing can be received.
const SOURCE: &str = "STRIPE_WEBHOOK_SECRET";

/// Variables that configure one table.
struct Group {
    table: &'static str,
    kind: &'static str,
    variables: &'static [Variable],
}

/// One variable and the key that it gives.
struct Variable {
    name: &'static str,
    key: &'static str,
    required: bool,
}

const fn required(name: &'static str, key: &'static str) -> Variable {
    Variable { name, key, required: true }
}

const fn optional(name: &'static str, key: &'static str) -> Variable {
    Variable { name, key, required: false }
}

const GROUPS: [Group; 5] = [
    Group { table: "sources.stripe", kind: "stripe", variables: &[required(SOURCE, "secrets")] },
    Group {
        table: "destinations.ga4",
        kind: "ga4",
        variables: &[required("GA4_MEASUREMENT_ID", "measurement_id"), required("GA4_API_SECRET", "api_secret")],
    },
    Group {
        table: "destinations.crm",
        kind: "rest",
        variables: &[required("CRM_BASE_URL", "base_url"), required("CRM_API_KEY", "api_key")],
    },
    Group {
        table: "destinations.mailerlite",
        kind: "mailerlite",
        variables: &[
            required("MAILERLITE_API_KEY", "api_key"),
            optional("MAILERLITE_API", "api"),
            optional("MAILERLITE_VIP_GROUP_ID", "groups.vip"),
            optional("MAILERLITE_PREMIUM_GROUP_ID", "groups.premium"),
            optional("MAILERLITE_STANDARD_GROUP_ID", "groups.standard"),
        ],
    },
    Group { table: "alerts.monitoring", kind: "webhook", variables: &[required("MONITORING_WEBHOOK_URL", "url")] },
];

/// Variables for something that MailerLite can't do.
const WORKFLOWS: [&str; 3] =
    ["MAILERLITE_VIP_WORKFLOW_ID", "MAILERLITE_PREMIUM_WORKFLOW_ID", "MAILERLITE_STANDARD_WORKFLOW_ID"];

/// Whether any variable is there that configures something.
pub(super) fn any(environment: &dyn Environment) -> bool {
    GROUPS
        .iter()
        .flat_map(|group| group.variables.iter().map(|variable| variable.name))
        .chain([STATE, LISTEN])
        .any(|name| environment.var(name).is_some())
}

/// The folder of the state.
pub(super) fn state(environment: &dyn Environment) -> PathBuf {
    // systemd lists several folders with colons between them (systemd.exec, StateDirectory=).
    let of_unit = || environment.var("STATE_DIRECTORY").and_then(|list| list.split(':').next().map(str::to_owned));
    let given = environment.var(STATE).or_else(of_unit).filter(|folder| !folder.trim().is_empty());
    PathBuf::from(given.unwrap_or_else(|| "./tallyhook-state".to_owned()))
}

/// The file that says the same as the variables, and what is wrong with which of them are there.
pub(super) fn as_file(environment: &dyn Environment) -> (String, Vec<Problem>) {
    let mut text = String::from("[server]\ntls = { mode = \"off\" }\n");
    if environment.var(LISTEN).is_some() {
        text.push_str(&format!("listen = {{ env = \"{LISTEN}\" }}\n"));
    }
    let state = state(environment);
    for (table, key, file) in [("admin", "socket", "admin.sock"), ("store", "path", "tallyhook.redb")] {
        let path = toml::Value::String(state.join(file).to_string_lossy().into_owned());
        text.push_str(&format!("[{table}]\n{key} = {path}\n"));
    }
    let mut problems = Vec::new();
    for Group { table, kind, variables } in &GROUPS {
        let is_set = |variable: &&Variable| environment.var(variable.name).is_some();
        let Some(present) = variables.iter().find(is_set) else {
            if variables.iter().any(|variable| variable.name == SOURCE) {
                problems.push(problem(
                    SOURCE,
                    "is not set: a source without a secret does not start",
                    "set it to the signing secret of the webhook endpoint, whsec_…",
                ));
            }
            continue;
        };
        for missing in variables.iter().filter(|variable| variable.required && !is_set(variable)) {
            problems.push(problem(
                missing.name,
                &format!("is not set, but {} is", present.name),
                "set both or neither",
            ));
        }
        text.push_str(&format!("[{table}]\nkind = \"{kind}\"\n"));
        for Variable { name, key, .. } in variables.iter().filter(is_set) {
            let value = format!("{{ env = \"{name}\" }}");
            let value = if *key == "secrets" { format!("[{value}]") } else { value };
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    (text, problems)
}

/// Remarks on variables that do nothing.
pub(super) fn warnings(environment: &dyn Environment) -> Vec<Problem> {
    WORKFLOWS
        .into_iter()
        .filter(|name| environment.var(name).is_some())
        .map(|name| {
            problem(
                name,
                super::NO_WORKFLOWS,
                "set MAILERLITE_VIP_GROUP_ID and the like, and let the automation start there",
            )
        })
        .collect()
}

/// A complaint about the file said of the variables instead; none when [`as_file`] has said it already.
pub(super) fn translate(problem: Problem) -> Option<Problem> {
    let of_key = |table: &str, key: &str| {
        let rest = problem.key.strip_prefix(table).and_then(|rest| rest.strip_prefix('.')?.strip_prefix(key));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
    };
    let named = GROUPS
        .iter()
        .flat_map(|group| group.variables.iter().map(move |variable| (group.table, variable)))
        .find(|(table, variable)| of_key(table, variable.key));
    let name = match named {
        // A required key can only be missing in the file because its variable is, which was said.
        Some((_, variable)) if problem.message.starts_with("is missing") && variable.required => return None,
        Some((_, variable)) => variable.name,
        None if problem.key == "sources" => return None,
        None if of_key("server", "listen") => LISTEN,
        None if of_key("store", "path") || of_key("admin", "socket") => STATE,
        None => problem.key.as_str(),
    };
    let subject = format!("the environment variable {name} ");
    let message = problem.message.strip_prefix(&subject).unwrap_or(&problem.message).to_owned();
    let key = name.to_owned();
    Some(Problem {
        file: NAME.to_owned(),
        line: None,
        key,
        message,
        suggestion: problem.suggestion.map(|suggestion| {
            // What has no variable needs a file.
            if suggestion.contains("add allow_private_addresses") {
                "if it is meant, that takes a configuration file with allow_private_addresses = true".to_owned()
            } else {
                suggestion
            }
        }),
    })
}

fn problem(name: &str, message: &str, suggestion: &str) -> Problem {
    Problem {
        file: NAME.to_owned(),
        line: None,
        key: name.to_owned(),
        message: message.to_owned(),
        suggestion: Some(suggestion.to_owned()),
    }
}
