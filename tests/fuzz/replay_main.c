/* Runs every file of a corpus folder through a fuzz target, as an ordinary test. No file, or none that can be
   read, is a failure: an empty corpus must not look green. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *data = NULL;
    int ok = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    if (fseek(file, 0, SEEK_END) != 0) {
        goto close;
    }
    long size = ftell(file);
    rewind(file);
    /* Exactly as large as the input, so that AddressSanitizer sees a read behind it. */
    data = size >= 0 ? malloc(size > 0 ? (size_t)size : 1) : NULL;
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
        goto close;
    }
    LLVMFuzzerTestOneInput(data, (size_t)size);
    ok = 1;

close:
    free(data);
    fclose(file);
    if (!ok) {
        fprintf(stderr, "%s cannot be read\n", path);
    }
    return ok;
}

int main(int count, char **arguments)
{
    int files = 0;
    struct dirent *entry;
    if (count != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", arguments[0]);
        return 2;
    }
    DIR *folder = opendir(arguments[1]);
    if (folder == NULL) {
        perror(arguments[1]);
        return 1;
    }
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (!replay(arguments[1], entry->d_name)) {
            closedir(folder);
            return 1;
        }
        files++;
    }
    closedir(folder);
    printf("%d files\n", files);
    return files > 0 ? 0 : 1;
}
