use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use kernel::Duration;

use super::{Configuration, Mode, Settings, load, print};

/// A folder with files that only their owner reads.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        let _ = std::fs::remove_file(&path);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        path
    }
}

fn read(text: &str) -> Result<Configuration, String> {
    let folder = Folder::new();
    let path = folder.write("a4co.toml", text);
    load(Some(&path), []).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    read(text).map(|read| print(&read)).unwrap_err()
}

fn with(variables: &[(&str, &str)]) -> Result<Configuration, String> {
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    load(None, variables).map_err(|error| error.to_string())
}

#[test]
fn without_a_file_everything_has_its_default() {
    assert_eq!(load(None, []).unwrap().settings, Settings::default());
    assert_eq!(read("").unwrap().settings, Settings::default());
}

#[test]
fn the_defaults_of_every_service_are_within_their_own_limits() {
    garde::Validate::validate(&Settings::default()).unwrap();
}

#[test]
fn what_is_printed_is_a_file_that_gives_the_same_again() {
    let all = r#"
        [serve]
        listen = "[::1]:9000"
        mode = "production"
        only = ["order", "gateway"]
        [discovery]
        user = ["http://10.0.0.5:8101", "https://user.internal"]
        [payment]
        charge_limit = "2 minutes"
        [payment.commission.by_category]
        "alimentacion/miel \"cruda\"" = 500
        [product.vat]
        by_category = { libros = 400 }
        [user]
        vip_segments = []
        [[shipping.zones]]
        name = "jaen"
        carrier = "Correos"
        first_piece_cents = 390
        further_piece_cents = 50
        vat_rate = 2100
        days_min = 1
        days_max = 2
    "#;
    for text in ["", all] {
        let configuration = read(text).unwrap();
        let printed = print(&configuration);
        let again = read(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
        assert_eq!(again.settings, configuration.settings, "{printed}");
        assert_eq!(print(&again), printed);
    }
}

#[test]
fn what_is_printed_explains_every_key() {
    let printed = print(&Configuration::default());
    let (mut before, mut heads, mut explained) = ("", Vec::new(), 0);
    for line in printed.lines() {
        if line.starts_with('[') {
            heads.push(line);
        } else if line.contains(" = ") && !line.starts_with('#') {
            let head = heads.last().copied().unwrap_or_default();
            // The keys of a map are the operator's own, and those of a list are explained once.
            let is_known = head.ends_with("by_category]") || heads.iter().filter(|h| **h == head).count() > 1;
            assert!(is_known || before.starts_with("# "), "{head} {line}");
            explained += usize::from(!is_known);
        }
        before = line;
    }
    assert!(explained > 25, "{explained}");
    assert!(printed.contains("# From 14 to 365.\nwithdrawal_days = 14\n"), "{printed}");
}

#[test]
fn an_error_names_the_file_the_key_and_the_remedy() {
    let cases = [
        ("[order]\nwithdrawl_days = 14", "order", "unknown field `withdrawl_days`, expected one of"),
        ("[ordr]", "ordr", "unknown field `ordr`"),
        ("[order]\nwithdrawal_days = \"two\"", "order.withdrawal_days", "expected u32"),
        ("[order]\nwithdrawal_days = -1", "order.withdrawal_days", "expected u32"),
        ("[order]\nwithdrawal_days = 13", "order.withdrawal_days", "lower than 14"),
        ("[inventory]\ncart_hold = \"soon\"", "inventory.cart_hold", "expected a duration"),
        ("[inventory]\ncart_hold = \"1 second\"", "inventory.cart_hold", "write a span from 1m to 7days"),
        ("[payment]\nwithdrawal_period = \"13 days\"", "payment.withdrawal_period", "from 14days"),
        ("[payment.commission]\nvat_rate = 20000", "payment.commission.vat_rate", "greater than 10000"),
        ("[notification]\nlocal_time = \"Spain\"", "notification.local_time", "write a POSIX rule such as"),
        ("[serve]\nmode = \"test\"", "serve.mode", "expected `development` or `production`"),
        ("[serve]\nlisten = \"8080\"", "serve.listen", "such as 127.0.0.1:8080"),
        ("[discovery]\norder = [\"8101\"]", "discovery", "write it as http://127.0.0.1:8101"),
        ("[product.vat.by_category]\nmiel = 20000", "product.vat.by_category", "\"miel\" is above 10000"),
    ];
    for (text, key, reason) in cases {
        let error = refused(text);
        assert!(error.contains("a4co.toml: "), "{error}");
        assert!(error.contains(&format!(": {key}")), "{key}: {error}");
        assert!(error.contains(reason), "{reason}: {error}");
        assert!(error.ends_with("`a4co config` prints every key with what it may hold"), "{error}");
    }
    let syntax = refused("[order]\nwithdrawal_days 14");
    assert!(syntax.contains("a4co.toml, line 2: "), "{syntax}");
    let missing = load(Some(Path::new("/nowhere/a4co.toml")), []).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/a4co.toml cannot be read"), "{missing}");
}

#[test]
fn the_environment_is_over_the_file_and_the_file_over_the_defaults() {
    let folder = Folder::new();
    let path = folder.write("a4co.toml", "[order]\nwithdrawal_days = 20\nreturn_days = 40");
    let variables = [("A4CO__ORDER__WITHDRAWAL_DAYS".to_owned(), "30".to_owned())];
    let order = load(Some(&path), variables).unwrap().settings.order;
    assert_eq!((order.withdrawal_days, order.return_days, order.quote_minutes), (30, 40, 15));
}

#[test]
fn a_variable_can_set_what_a_file_can() {
    let settings = with(&[
        ("A4CO__SERVE__MODE", "production"),
        ("A4CO__INVENTORY__CART_HOLD", "3 days"),
        ("A4CO__USER__VIP_SEGMENTS", "[\"gold\", \"vip\"]"),
        ("A4CO__PAYMENT__WEBHOOK_SECRETS__BANK", "1234567890123456"),
        ("A4CO_URL", "not ours"),
    ])
    .unwrap()
    .settings;
    assert_eq!(settings.serve.mode, Mode::Production);
    assert_eq!(settings.inventory.cart_hold, Duration::from_secs(3 * 24 * 3_600));
    assert_eq!(settings.user.vip_segments, ["gold", "vip"]);
    assert_eq!(settings.payment.webhook_secrets["bank"].reveal(), "1234567890123456");
    let error = with(&[("A4CO__ORDER__WITHDRAWAL_DAYS", "many")]).unwrap_err();
    assert!(error.starts_with("A4CO__ORDER__WITHDRAWAL_DAYS: order.withdrawal_days: "), "{error}");
    let error = with(&[("A4CO__ORDR__X", "1")]).unwrap_err();
    assert!(error.starts_with("A4CO__ORDR__X: ordr"), "{error}");
}

#[test]
fn a_secret_comes_from_a_file_of_its_own_and_is_never_shown() {
    let folder = Folder::new();
    let secret = folder.write("bank", "between-you-and-me\n");
    let text = format!(
        "[payment.webhook_secrets]\nbank_file = {secret:?}\nother = \"agreed-on-by-phone\"\n[keys]\nmaster_key = \"00ff\""
    );
    let configuration = read(&text).unwrap();
    let secrets: BTreeMap<_, _> = configuration
        .settings
        .payment
        .webhook_secrets
        .iter()
        .map(|(k, v)| (k.as_str(), v.reveal()))
        .collect();
    assert_eq!(secrets, BTreeMap::from([("bank", "between-you-and-me"), ("other", "agreed-on-by-phone")]));
    let shown = format!("{}{:?}", print(&configuration), configuration);
    for hidden in ["between-you-and-me", "agreed-on-by-phone", "00ff"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    assert!(shown.contains(&format!("bank_file = {secret:?}")), "{shown}");
    let again = read(&print(&configuration)).unwrap().settings.payment.webhook_secrets;
    assert_eq!(again["bank"].reveal(), "between-you-and-me");
    assert!(!again.contains_key("other"), "what is not shown is not invented either");
}

#[test]
fn a_secret_that_cannot_be_used_is_refused_without_showing_it() {
    let folder = Folder::new();
    let secret = folder.write("bank", "between-you-and-me");
    let both = format!("[payment.webhook_secrets]\nbank_file = {secret:?}\nbank = \"agreed-on-by-phone\"");
    assert!(refused(&both).contains("leave one of the two"));
    let nowhere = refused("[keys]\nmaster_key_file = \"/nowhere/key\"");
    assert!(nowhere.contains("keys.master_key_file: /nowhere/key cannot be read"), "{nowhere}");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = refused(&format!("[keys]\nemail_key_file = {secret:?}"));
    assert!(open.contains("chmod o-rwx"), "{open}");
    for text in [
        "[keys]\nmaster_key = 77778888",
        "[payment.webhook_secrets]\nbank = 77778888",
        "[payment.webhook_secrets]\nbank = [\"77778888\"]",
        "[payment.webhook_secrets]\nbank = \"77778888\"",
        "[keys]\nmaster_key = \"77778888",
    ] {
        let error = refused(text);
        assert!(!error.contains("77778888"), "{error}");
    }
}
