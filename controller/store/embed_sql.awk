# Turns NAME.sql into NAME.sql.h: each statement, opened by a line "-- :name statement_name", becomes
#   static const struct statement sql_statement_name = {"statement_name", "text"};
# Comment lines inside are left out. With -v whole=NAME the file becomes one string: static const char NAME[].
# One line as a C string. Letter by letter: awks do not agree on backslashes in gsub().
function quoted(line,    out, i, c) {
    out = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\\" || c == "\"")
            out = out "\\"
        out = out c
    }
    return "    \"" out "\\n\"\n"
}
function finish() {
    if (name != "")
        printf "__attribute__((unused)) static const struct statement sql_%s = {\n    \"%s\",\n%s};\n", name, name, text
}
BEGIN {
    print "/* Generated from an .sql file at build time. */"
    if (whole != "")
        printf "static const char %s[] =\n", whole
    else
        print "#include \"store/statement.h\""
}
whole != "" { printf "%s", quoted($0); next }
/^-- :name / { finish(); name = $3; text = ""; next }
/^[ \t]*--/ || /^[ \t]*$/ { next }
name == "" { print FILENAME ": a line before the first -- :name" > "/dev/stderr"; exit 1 }
{ text = text quoted($0) }
END { if (whole != "") print "    ;"; else finish() }
