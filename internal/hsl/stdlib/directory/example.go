package directory

// ldapExamples are those of the methods of LDAP. No directory answers them, and they say so.
var ldapExamples = map[string]string{
	"->setoption": `$l = LDAP("ldap://127.0.0.1:1"); $l->setoption("timeout", 5); echo $l->getoption("timeout"); // 5`,
	"->getoption": `echo LDAP("ldap://127.0.0.1:1")->getoption("protocol_version"); // 3`,
	"->starttls":  `$l = LDAP("ldap://127.0.0.1:1"); echo $l->starttls() ?? LDAP::err2string($l->errno()); // Can't contact LDAP server`,
	"->bind": `$l = LDAP("ldap://127.0.0.1:1");
if (!$l->bind("cn=reader,dc=example,dc=com", "secret")) echo LDAP::err2string($l->errno()); // Can't contact LDAP server`,
	"->search": `$found = LDAP("ldap://127.0.0.1:1")->search("dc=example,dc=com", ["filter" => "(mail=" . LDAP::filter_escape("joe@example.com") . ")", "attributes" => ["uid"]]);
echo $found ? $found->next() : "no answer"; // no answer`,
	"->unbind":        `$l = LDAP("ldap://127.0.0.1:1"); $l->unbind(); echo $l->errno(); // 0`,
	"->errno":         `$l = LDAP("ldap://127.0.0.1:1"); $l->bind(); echo $l->errno(); // -1`,
	"->getpeerx509":   `echo LDAP("ldap://127.0.0.1:1")->getpeerx509() ?? "no TLS"; // no TLS`,
	"::err2string":    `echo LDAP::err2string(49); // Invalid Credentials`,
	"::filter_escape": `echo LDAP::filter_escape("a*b"); // a\2ab`,
	"::str2dn":        `echo LDAP::str2dn("cn=Joe,dc=example"); // [0=>[0=>"cn",1=>"Joe"],1=>[0=>"dc",1=>"example"]]`,
	"::dn2str":        `echo LDAP::dn2str([["cn", "Joe"], ["dc", "example"]]); // cn=Joe,dc=example`,
}

// resultExamples are those of the methods of LDAPResult.
var resultExamples = map[string]string{
	"->next": `$found = LDAP("ldap://127.0.0.1:1")->search("dc=example,dc=com", ["filter" => "(mail=*)"]);
if (!$found) echo "no answer"; // no answer
while ($found and $entry = $found->next())
	echo $entry["dn"] . " " . $entry["mail"][0];`,
}
