//! Where secrets come from, and that no complaint repeats one.

use super::*;

#[test]
fn secrets_come_from_variables_files_and_credentials() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one"), "whsec_file\r\n").unwrap();
    std::fs::write(folder.path().join("two"), "whsec_credential\n").unwrap();
    std::fs::write(folder.path().join("padded"), "whsec_padded \n").unwrap();
    let mut variables = everything_set();
    variables.insert("CREDENTIALS_DIRECTORY".into(), folder.path().display().to_string());
    let file = folder.path().join("tallyhook.toml");
    let text = "[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ env = \"STRIPE_WEBHOOK_SECRET\" }, { file = \"one\" }, { credential = \"two\" }]";
    let config = load::from_text(text, &file, &variables).unwrap();
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("a stripe source") };
    let secrets: Vec<_> = stripe.secrets.iter().map(Secret::expose).collect();
    assert_eq!(secrets, ["whsec_test_secret", "whsec_file", "whsec_credential"]);
    assert!(!format!("{config:?}").contains("whsec_"));

    let text = "[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ file = \"padded\" }, { file = \"gone\" }, { credential = \"gone\" }, { credential = \"../x\" }]";
    let problems = load::from_text(text, &file, &variables).unwrap_err().to_string();
    let here = folder.path().display();
    for wanted in [
        format!("secrets[0]: the content of {here}/padded begins or ends with white space"),
        format!("secrets[1]: the file {here}/gone cannot be read: No such file or directory"),
        format!("secrets[2]: the file {here}/gone cannot be read: No such file or directory"),
        "secrets[3]: a credential has a plain name without slashes; for a path write { file = \"…\" }".to_owned(),
    ] {
        assert!(problems.contains(&wanted), "{wanted}\nin\n{problems}");
    }
    assert!(!problems.contains("whsec_"));
    std::fs::write(folder.path().join("tallyhook_two"), "whsec_loaded_with_its_folder\n").unwrap();
    let text = "[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ credential = \"two\" }, { credential = \"gone\" }]";
    let two = text.replace(", { credential = \"gone\" }", "");
    let secret = |variables: &BTreeMap<String, String>| {
        let config = load::from_text(&two, &file, variables).unwrap();
        let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("no Stripe") };
        stripe.secrets[0].expose().to_owned()
    };
    assert_eq!(secret(&variables), "whsec_loaded_with_its_folder");
    // A reload of the unit puts the files as they are then into a folder of its own.
    let refreshed = folder.path().join("refreshed");
    variables.insert("REFRESHED_CREDENTIALS_DIRECTORY".into(), refreshed.display().to_string());
    assert_eq!(secret(&variables), "whsec_loaded_with_its_folder", "before the first reload");
    std::fs::create_dir(&refreshed).unwrap();
    std::fs::write(refreshed.join("two"), "whsec_refreshed\n").unwrap();
    assert_eq!(secret(&variables), "whsec_refreshed");
    std::fs::remove_file(refreshed.join("two")).unwrap();
    assert_eq!(
        secret(&variables),
        "whsec_credential",
        "of another LoadCredential=; the folder's old copy counts no more"
    );
    variables.remove("REFRESHED_CREDENTIALS_DIRECTORY");
    let copies = |text: &str| load::from_text(text, &file, &variables).unwrap().holds_copies;
    assert!(copies(&two) && !copies(&two.replace("credential", "file")), "what takes a restart to change");
    variables.remove("CREDENTIALS_DIRECTORY");
    std::fs::create_dir(folder.path().join("credentials")).unwrap();
    std::fs::write(folder.path().join("credentials/two"), "whsec_beside_the_file\n").unwrap();
    assert_eq!(secret(&variables), "whsec_beside_the_file");
    let problems = load::from_text(text, &file, &variables).unwrap_err().to_string();
    assert!(problems.contains("LoadCredential=gone:/path"), "{problems}");
}

#[test]
fn complaints_never_contain_a_secret() {
    let text =
        "[sources.s]\nkind = \"stripe\"\nsecrets = [\"sk_live_hidden\", \" hidden \", \"hid\\nden\", \"hidden…\"]
[destinations.c]\nkind = \"rest\"\nbase_url = \"https://me:hidden@example.com\"\napi_key = \"hidden hidden\"
[alerts.a]\nkind = \"webhook\"\nurl = \"http://example.com/hidden\"
[alerts.b]\nkind = \"webhook\"\nurl = \"https://10.0.0.1/hidden\"";
    let problems = read(text).unwrap_err();
    assert_eq!(problems.0.len(), 8, "{problems}");
    assert!(!problems.to_string().contains("hidden"), "{problems}");
}
