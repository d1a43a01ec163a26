/* serin-demo-gateway: an example gateway with a simulated model, and the traffic for it. */
#include "base/digest.h"
#include "base/log.h"
#include "demo/summary.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Writes and prints once a second until a signal comes or the time is over. The signals are blocked in all
 * threads. */
static void serve(const struct gateway *gateway, const struct options *options, const sigset_t *signals)
{
    struct summary_lines *lines = calloc(1, sizeof *lines);
    struct mono_time start = clock_mono();
    for (int64_t second = 1;; second++) {
        int64_t until_ms = second * 1000;
        bool last = options->duration_ms > 0 && until_ms >= options->duration_ms;
        until_ms = last ? options->duration_ms : until_ms;
        for (int64_t left_ms; (left_ms = until_ms - clock_mono_since_ms(start)) > 0;) {
            const struct timespec left = {left_ms / 1000, left_ms % 1000 * 1000000};
            if (sigtimedwait(signals, NULL, &left) > 0) {
                last = true;
                break;
            }
            if (errno != EINTR && errno != EAGAIN) {
                last = true;
                break;
            }
        }
        if (options->show && lines != NULL) {
            summary_show(gateway, lines);
        }
        if (last) {
            break;
        }
        if (options->status_file != NULL) {
            (void)summary_write(gateway, options->status_file);
        }
    }
    free(lines);
}

int main(int argc, char **argv)
{
    struct options options;
    struct gateway gateway;
    sigset_t signals;
    int exit_code = EXIT_SUCCESS;
    if (digest_start() != STATUS_OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fputs("serin-demo-gateway: a library could not be started\n", stderr);
        return EXIT_FAILURE;
    }
    enum options_result read = options_read(argc, argv, &options);
    if (read != OPTIONS_RUN) {
        options_free(&options);
        curl_global_cleanup();
        return read == OPTIONS_DONE ? EXIT_SUCCESS : 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (gateway_start(&gateway, &options) == STATUS_OK) {
        serve(&gateway, &options, &signals);
    } else {
        log_event(LOG_ERROR, "demo", "out of memory", NULL);
        exit_code = EXIT_FAILURE;
    }
    gateway_stop(&gateway);
    if (options.status_file != NULL && !summary_write(&gateway, options.status_file)) {
        log_event(LOG_ERROR, "demo", "the status file cannot be written", "file", options.status_file, NULL);
        exit_code = EXIT_FAILURE;
    }
    gateway_free(&gateway);
    options_free(&options);
    curl_global_cleanup();
    return exit_code;
}
