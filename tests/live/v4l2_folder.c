/* What the folder says of the cameras, their pictures, and the log. */
#include "v4l2_device.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int node_of(const char *path) {
    int node, end = 0;
    if (!path || !getenv("V4L2_DEVICES")) return -1;
    if (sscanf(path, "/dev/video%d%n", &node, &end) == 1 && !path[end]) return node;
    end = 0;
    return sscanf(path, "/dev/v4l/by-id/usb-Test_camera-%d%n", &node, &end) == 1 && !path[end] ? node : -1;
}

static void path_of(char *path, size_t room, int node, const char *suffix) {
    snprintf(path, room, "%s/video%d%s", getenv("V4L2_DEVICES"), node, suffix);
}

static void word(const char *text, const char *name, char *value, size_t room) {
    char key[32];
    snprintf(key, sizeof key, " %s=", name);
    const char *found = strstr(text, key);
    if (found) snprintf(value, room, "%.*s", (int)strcspn(found + strlen(key), " \n"), found + strlen(key));
}

static int number(const char *text, const char *name, int otherwise) {
    char value[16] = "";
    word(text, name, value, sizeof value);
    return *value ? atoi(value) : otherwise;
}

int configured(int node, Config *config) {
    char path[4096], text[1024] = " ";
    path_of(path, sizeof path, node, "");
    int file = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t got = read(file, text + 1, sizeof text - 2);
    REAL(close)(file);
    text[got < 0 ? 1 : got + 1] = 0;
    *config = (Config){"ok", "monotonic", "capture", "YUYV", "YUYV", 0, 0, 0, 0, 0, 0, 0};
    word(text, "state", config->state, sizeof config->state);
    word(text, "clock", config->clock, sizeof config->clock);
    word(text, "kind", config->kind, sizeof config->kind);
    word(text, "formats", config->formats, sizeof config->formats);
    snprintf(config->current, sizeof config->current, "%.4s", config->formats);
    word(text, "current", config->current, sizeof config->current);
    config->width = number(text, "width", 160), config->height = number(text, "height", 120);
    config->rate = number(text, "rate", 25), config->padding = number(text, "padding", 0);
    config->lose = number(text, "lose", 0), config->damage = number(text, "damage", 0);
    config->norate = number(text, "norate", 0);
    return 1;
}

void tell(int node, const char *form, ...) {
    char path[4096], line[256];
    path_of(path, sizeof path, node, ".log");
    va_list arguments;
    va_start(arguments, form);
    int length = vsnprintf(line, sizeof line, form, arguments);
    va_end(arguments);
    int file = REAL(open)(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || write(file, line, length) != length) abort();
    REAL(close)(file);
}

size_t picture(uint32_t pixelformat, uint64_t which, unsigned char *place, size_t room) {
    static FILE *files[2];
    static long where[2][4096];
    static int counts[2];
    int one = pixelformat == V4L2_PIX_FMT_MJPEG;
    if (!files[one]) {
        char path[4096];
        snprintf(path, sizeof path, "%s/pictures.%.4s", getenv("V4L2_DEVICES"), (const char *)&pixelformat);
        files[one] = fopen(path, "rbe");
        uint32_t bytes;
        while (files[one] && counts[one] < 4096 && fread(&bytes, 4, 1, files[one]) == 1) {
            where[one][counts[one]++] = ftell(files[one]) - 4;
            fseek(files[one], bytes, SEEK_CUR);
        }
        if (!counts[one]) abort();
    }
    uint32_t bytes;
    fseek(files[one], where[one][which % counts[one]], SEEK_SET);
    if (fread(&bytes, 4, 1, files[one]) != 1 || bytes > room) abort();
    return fread(place, 1, bytes, files[one]);
}
