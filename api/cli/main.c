/* serin: the command line of the release controller. */
#include "cli/cli.h"

#include <signal.h>

int main(int count, char **arguments)
{
    /* A pipe that is closed early ends in a failed write, which is told, not in a signal. */
    signal(SIGPIPE, SIG_IGN);
    return cli_run(count - 1, (const char *const *)(arguments + 1), stdout, stderr);
}
