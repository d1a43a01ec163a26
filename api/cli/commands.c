/* From a command line to the command, and the help. */
#include "base/digest.h"
#include "base/spelling.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/table.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { COMMANDS_MAX = 64, WORDS_MAX = 3, NAME_BYTES = 64, WRAP = 96 };

static const struct args_option global_options[] = {
    {"json", 0, ARGS_FLAG, NULL, "print JSON: that of the API, unchanged, where a server is asked"},
    {"url", 0, ARGS_VALUE, "URL",
     "the server; else SERIN_URL, else http://127.0.0.1:8080 (unix:/path for a socket)"},
    {"key", 0, ARGS_VALUE, "KEY", "Idempotency-Key of what is sent: repeats a request that got no answer"},
    {"no-color", 0, ARGS_FLAG, NULL, "no colours; so does NO_COLOR"},
    {"help", 'h', ARGS_FLAG, NULL, "show the help of a command"},
    {"version", 0, ARGS_FLAG, NULL, "show the version of this program"},
    {0}};

static const struct args_option no_options[] = {{0}};

static int run_help(struct cli *cli, struct args *args);

static int run_version(struct cli *cli, struct args *args)
{
    (void)args;
    fprintf(cli->out, "serin %s\n", SERIN_VERSION);
    return CLI_OK;
}

static const struct command own_commands[] = {
    {"help", "[COMMAND]", "show all commands, or one", NULL, NULL, 0, WORDS_MAX, run_help},
    {"version", "", "show the version of this program", NULL, NULL, 0, 0, run_version},
    {0}};

/* What of the server the commands of a family use. */
enum reach { REACH_ALL /* also changes things there */, REACH_READS, REACH_NOTHING };

static const struct {
    const char *title;
    const struct command *commands;
    enum reach reach;
} families[] = {{"Describe and apply", apply_commands, REACH_ALL},
                {NULL, lint_commands, REACH_NOTHING},
                {NULL, backtest_commands, REACH_NOTHING},
                {"Versions and releases", version_commands, REACH_ALL},
                {NULL, release_commands, REACH_ALL},
                {NULL, diff_commands, REACH_READS},
                {"Services", service_commands, REACH_ALL},
                {"Rollouts", rollout_commands, REACH_ALL},
                {NULL, verb_commands, REACH_ALL},
                {NULL, explain_commands, REACH_READS},
                {NULL, replay_commands, REACH_READS},
                {"Operations", operation_commands, REACH_ALL},
                {"Administration", admin_commands, REACH_ALL},
                {"This program", own_commands, REACH_NOTHING}};

enum { FAMILIES = sizeof families / sizeof families[0] };

/* All commands in the order of the help. */
static size_t all(const struct command *out[COMMANDS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < FAMILIES; i++) {
        for (const struct command *command = families[i].commands; command->name != NULL; command++) {
            if (count < COMMANDS_MAX) {
                out[count++] = command;
            }
        }
    }
    return count;
}

/* How many words of the name stand at the beginning of `words`; 0 if not all of them. */
static size_t matches(const char *name, const char *const *words, size_t count)
{
    size_t used = 0;
    while (*name != '\0') {
        size_t length = strcspn(name, " ");
        if (used == count || strlen(words[used]) != length || memcmp(words[used], name, length) != 0) {
            return 0;
        }
        used++;
        name += length + (name[length] == ' ' ? 1 : 0);
    }
    return used;
}

/* The command with the longest name that `words` begin with; *used is its number of words. */
static const struct command *find(const char *const *words, size_t count, size_t *used)
{
    const struct command *commands[COMMANDS_MAX];
    const struct command *best = NULL;
    size_t n = all(commands);
    *used = 0;
    for (size_t i = 0; i < n; i++) {
        size_t length = matches(commands[i]->name, words, count);
        if (length > *used) {
            *used = length;
            best = commands[i];
        }
    }
    return best;
}

static bool is_group(const char *word)
{
    const struct command *commands[COMMANDS_MAX];
    size_t n = all(commands), length = strlen(word);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(commands[i]->name, word, length) == 0 && commands[i]->name[length] == ' ') {
            return true;
        }
    }
    return false;
}

/* The one command that begins with what was typed; NULL if there is none, or several. */
static const char *begun_command(const char *line)
{
    const struct command *commands[COMMANDS_MAX];
    const char *found = NULL;
    size_t n = all(commands), length = strlen(line);
    for (size_t i = 0; i < n; i++) {
        if (length >= 3 && strncmp(commands[i]->name, line, length) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = commands[i]->name;
        }
    }
    return found;
}

/* "rollout pause" for "rollout puase", and for "pause"; "rollout status" for "rollout stat". */
static const char *near_command(const char *const *words, size_t count)
{
    const struct command *commands[COMMANDS_MAX];
    const char *names[COMMANDS_MAX], *lasts[COMMANDS_MAX];
    char line[NAME_BYTES];
    size_t n = all(commands);
    for (size_t i = 0; i < n; i++) {
        const char *space = strrchr(commands[i]->name, ' ');
        names[i] = commands[i]->name;
        lasts[i] = space == NULL ? names[i] : space + 1;
        if (strcmp(lasts[i], words[0]) == 0) {
            return names[i];
        }
    }
    if (count > 1) {
        snprintf(line, sizeof line, "%s %s", words[0], words[1]);
        const char *near = begun_command(line);
        near = near != NULL ? near : spelling_nearest(line, names, n);
        if (near != NULL) {
            return near;
        }
    }
    const char *near = spelling_nearest(words[0], names, n);
    const char *last = near == NULL ? spelling_nearest(words[0], lasts, n) : NULL;
    for (size_t i = 0; last != NULL && i < n; i++) {
        if (lasts[i] == last) {
            return names[i];
        }
    }
    return near;
}

/* The second words of a group: "start, status, list". */
static void list_verbs(const char *group, char *out, size_t size)
{
    const struct command *commands[COMMANDS_MAX];
    const char *verbs[COMMANDS_MAX];
    size_t n = all(commands), length = strlen(group), count = 0;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(commands[i]->name, group, length) == 0 && commands[i]->name[length] == ' ') {
            verbs[count++] = commands[i]->name + length + 1;
        }
    }
    spelling_list(out, size, verbs, count);
}

static int unknown_command(struct cli *cli, const char *const *words, size_t count)
{
    const char *near = near_command(words, count);
    if (near != NULL) {
        return cli_usage(cli, "there is no command \"%s%s%s\"; did you mean \"serin %s\"?", words[0],
                         count > 1 && is_group(words[0]) ? " " : "",
                         count > 1 && is_group(words[0]) ? words[1] : "", near);
    }
    if (!is_group(words[0])) {
        return cli_usage(cli, "there is no command \"%s\"", words[0]);
    }
    char verbs[300];
    list_verbs(words[0], verbs, sizeof verbs);
    if (count > 1) {
        return cli_usage(cli, "there is no command \"%s %s\"; after %s comes one of: %s", words[0], words[1],
                         words[0], verbs);
    }
    return cli_usage(cli, "\"%s\" needs one more word, one of: %s", words[0], verbs);
}

static enum reach reach_of(const struct command *command)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        for (const struct command *one = families[i].commands; one->name != NULL; one++) {
            if (one == command) {
                return families[i].reach;
            }
        }
    }
    return REACH_ALL;
}

/* --url and --key are taken everywhere, as scripts may give them to all commands; the help names them where
   they do something. */
static bool has_use(const struct args_option *option, enum reach reach)
{
    if (strcmp(option->name, "url") == 0) {
        return reach != REACH_NOTHING;
    }
    return strcmp(option->name, "key") != 0 || reach == REACH_ALL;
}

static void show_options(struct table *table, const struct args_option *options, enum reach reach)
{
    for (; options->name != NULL; options++) {
        char name[NAME_BYTES];
        if (!has_use(options, reach)) {
            continue;
        }
        snprintf(name, sizeof name, "%c%c%s --%s%s%s", options->letter != 0 ? '-' : ' ',
                 options->letter != 0 ? options->letter : ' ', options->letter != 0 ? "," : " ",
                 options->name, options->value != NULL ? " " : "",
                 options->value != NULL ? options->value : "");
        table_cell(table, name);
        table_cell(table, options->help);
    }
}

static int show_command(struct cli *cli, const struct command *command)
{
    struct text out;
    struct table table;
    enum reach reach = reach_of(command);
    text_init(&out, 1 << 20);
    text_printf(&out, "usage: serin %s %s\n\n", command->name, command->usage);
    output_wrap(&out, command->summary, 0, WRAP);
    if (command->text != NULL) {
        text_putc(&out, '\n');
        output_wrap(&out, command->text, 0, WRAP);
    }
    text_puts(&out, "\nOptions:\n");
    table_begin(&table, NULL);
    table.columns = 2;
    table.indent = 2;
    show_options(&table, command->options != NULL ? command->options : no_options, reach);
    show_options(&table, global_options, reach);
    table_end(&table, cli->out_colors, &out);
    return cli_print(cli, &out);
}

static int show_group(struct cli *cli, const char *group)
{
    struct text out;
    struct table table;
    const struct command *commands[COMMANDS_MAX];
    size_t n = all(commands), length = strlen(group);
    text_init(&out, 1 << 20);
    table_begin(&table, NULL);
    table.columns = 2;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(commands[i]->name, group, length) == 0 &&
            (commands[i]->name[length] == ' ' || commands[i]->name[length] == '\0')) {
            char line[2 * NAME_BYTES];
            snprintf(line, sizeof line, "serin %s %s", commands[i]->name, commands[i]->usage);
            table_cell(&table, line);
            table_cell(&table, commands[i]->summary);
        }
    }
    table_end(&table, cli->out_colors, &out);
    return cli_print(cli, &out);
}

static int show_all(struct cli *cli)
{
    struct text out;
    text_init(&out, 1 << 20);
    text_puts(&out,
              "serin ships changes to LLM applications step by step, and back by itself.\n"
              "usage: serin COMMAND [options]\n");
    for (size_t i = 0; i < FAMILIES; i++) {
        struct table table;
        if (families[i].title != NULL) {
            text_putc(&out, '\n');
            output_paint(&out, cli->out_colors, PAINT_BOLD, families[i].title);
            text_putc(&out, '\n');
        }
        table_begin(&table, NULL);
        table.columns = 2;
        table.indent = 2;
        for (const struct command *command = families[i].commands; command->name != NULL; command++) {
            char name[32];
            /* padded, so that the families of one title line up */
            snprintf(name, sizeof name, "%-24s", command->name);
            table_cell(&table, name);
            table_cell(&table, command->summary);
        }
        table_end(&table, cli->out_colors, &out);
    }
    text_puts(&out,
              "\nMore about one: serin help COMMAND\n"
              "The server: SERIN_URL (default http://127.0.0.1:8080), SERIN_TOKEN or SERIN_TOKEN_FILE;\n"
              "or url and token in ~/.config/serin/config.\n"
              "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no answer; of waiting for a rollout also\n"
              "4 aborted, 5 rolled back, 6 timed out, 7 paused.\n");
    return cli_print(cli, &out);
}

static int help_for(struct cli *cli, const char *const *words, size_t count)
{
    size_t used;
    if (count == 0) {
        return show_all(cli);
    }
    const struct command *command = find(words, count, &used);
    if (count == 1 && is_group(words[0])) {
        return show_group(cli, words[0]);
    }
    return command != NULL ? show_command(cli, command) : unknown_command(cli, words, count);
}

static int run_help(struct cli *cli, struct args *args)
{
    return help_for(cli, args->word, args->words);
}

static void apply_globals(struct cli *cli, const struct args *args)
{
    cli->json = args_has(args, "json");
    cli->url = args_get(args, "url");
    cli->key = args_get(args, "key");
    if (args_has(args, "no-color")) {
        cli->out_colors = false;
        cli->err_colors = false;
    }
}

static int run_command(struct cli *cli, const struct command *command, struct args *args)
{
    cli->command = command;
    if (args->words < command->least) {
        return cli_usage(cli, "something is missing: %s", command->usage);
    }
    if (args->words > command->most) {
        return cli_usage(cli, "too many words, from \"%.40s\" on", args->word[command->most]);
    }
    if (cli->key != NULL && (strlen(cli->key) == 0 || strlen(cli->key) > 60)) {
        return cli_usage(cli, "--key must have 1 to 60 characters");
    }
    int code = command->run(cli, args);
    return args->error[0] != '\0' ? cli_usage(cli, "%s", args->error) : code;
}

static int dispatch(struct cli *cli, int count, const char *const *argv)
{
    struct args args = {0};
    const struct args_option *tables[2] = {global_options, no_options};
    const char *words[WORDS_MAX];
    size_t n = 0, used;
    /* What stands before the command can only be global. */
    int at = args_read(&args, count, argv, tables, 1, true);
    for (int i = at; at >= 0 && i < count && n < WORDS_MAX && argv[i][0] != '-'; i++) {
        words[n++] = argv[i];
    }
    if (at < 0) {
        return cli_usage(cli, "%s", args.error);
    }
    if (args_has(&args, "version") && n == 0) {
        return run_version(cli, &args);
    }
    if (n == 0) {
        int code = show_all(cli);
        return args_has(&args, "help") ? code : CLI_USAGE;
    }
    const struct command *command = find(words, n, &used);
    if (command == NULL) {
        return args_has(&args, "help") ? help_for(cli, words, n) : unknown_command(cli, words, n);
    }
    at += (int)used;
    tables[1] = command->options != NULL ? command->options : no_options;
    if (args_read(&args, count - at, argv + at, tables, 2, false) < 0) {
        cli->command = command;
        return cli_usage(cli, "%s", args.error);
    }
    apply_globals(cli, &args);
    if (args_has(&args, "help")) {
        return show_command(cli, command);
    }
    return run_command(cli, command, &args);
}

int cli_run(int count, const char *const *argv, FILE *out, FILE *err)
{
    struct cli cli = {
        .out = out, .err = err, .out_colors = output_colors(out), .err_colors = output_colors(err)};
    cli.terminal = isatty(fileno(out)) == 1;
    int code = CLI_REFUSED;
    if (digest_start() != STATUS_OK) {
        fputs("serin: libsodium does not start\n", err);
        return code;
    }
    code = dispatch(&cli, count, argv);
    client_free(cli.client);
    errno = 0;
    if ((fflush(out) != 0 || ferror(out)) && errno != EPIPE) { /* a reader that has seen enough is no fault */
        fputs("serin: the output could not be written\n", err);
        return code == CLI_OK ? CLI_REFUSED : code;
    }
    return code;
}
