// Package data holds the builtins that read and write data: JSON, CSV and YAML,
// and the loaders that import such files at compile time.
//
// Text that is not what it should be gives none, as does a value that has no
// form in JSON. All readers and writers keep to the limits of the script.
package data

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("json_encode(any value, [array options]) string or none",
			"Returns the value as JSON. An array whose keys are 0, 1, 2… in that order becomes a JSON array, any other an object; "+
				"none becomes null. Returns none for what JSON cannot say: functions, objects, resources, infinite numbers, and strings that are no UTF-8.",
			`echo json_encode(["a" => [1, true, none]]); // {"a":[1,true,null]}`, jsonEncode,
			declare.Option("boolean ensure_ascii = true", `Write characters outside of ASCII as \uXXXX.`),
			declare.Option("boolean pretty_print = false", "Write one element per line, indented by four spaces.")),
		declare.Function("json_decode(string string, [array options]) any",
			"Returns the value of a JSON text: objects and arrays become arrays, null becomes none. Returns none if the text is not JSON.",
			`echo json_decode("{\"a\": [1, 2]}"); // ["a"=>[0=>1,1=>2]]`, jsonDecode,
			declare.Option("boolean allow_comments = false", "Skip comments as in // and /* */.")),
		declare.Function("csv_encode(array values, [array options]) string",
			"Returns one line of CSV without an end of line. Values with a delimiter, a quote, a space or an end of line in them are quoted.",
			`echo csv_encode(["a", "b c", 3]); // a,"b c",3`, csvEncode,
			declare.Option(`string delimiter = ","`, "The byte between two values.")),
		declare.Function("csv_decode(string string, [array options]) array or none",
			"Returns the rows of a CSV text: arrays with the names of the first line as keys or, without a header, lists. "+
				"Returns none if the text is no CSV or does not fit the schema.",
			`echo csv_decode("name,size\nx,1\n"); // [0=>["name"=>"x","size"=>"1"]]`, csvDecode, csvOptions...),
		declare.Function("yaml_decode(string string, [array options]) any",
			"Returns the value of a YAML document; mappings and sequences become arrays. Returns none if the text is not YAML.",
			`echo yaml_decode("a: [1, yes, x]"); // ["a"=>[0=>1,1=>"yes",2=>"x"]]`, yamlDecode,
			declare.Option("array tags", "Functions by tag, such as \"!Upper\", that are called with the value of each node that has the tag.")),
	}
}

var csvOptions = []value.Option{
	declare.Option(`string delimiter = ","`, "The byte between two values."),
	declare.Option("boolean header = true", "The first line names the columns."),
	declare.Option("array schema", "By column, an array of type (string, boolean or number), nullable (true, or a list of texts that mean none), "+
		"and for booleans the lists true and false of the texts that mean that."),
}
