/* Where the server is and who we are: command line, environment, then ~/.config/serin/config. */
#pragma once

#include "base/fault.h"

enum { SETTINGS_URL_MAX = 512, SETTINGS_TOKEN_MAX = 512, SETTINGS_PATH_MAX = 1024 };

struct settings {
    char url[SETTINGS_URL_MAX];      /* base, without a slash at the end: http(s)://host[:port][/path] */
    char socket[SETTINGS_PATH_MAX];  /* "" or the unix socket of a URL unix:/path; `url` is then
                                        http://localhost */
    char token[SETTINGS_TOKEN_MAX];  /* "" = none */
    char ca_file[SETTINGS_PATH_MAX]; /* "" = the system's */
    char warning[192];               /* "" or what the user should mend */
};

/* Reads the settings. `url` (may be NULL) is the one of the command line. Order of precedence: command line,
   environment (SERIN_URL, SERIN_TOKEN, SERIN_TOKEN_FILE, SERIN_CA_FILE), the file (url, token, token_file,
   ca_file; `name = value` lines, # comments), http://127.0.0.1:8080. The file may be absent. INVALID with a
   detail that names the file and line or the variable. */
enum status settings_read(const char *url, struct settings *out, struct fault *fault) MUST_CHECK;
