/* A capture device that is not there: /dev/videoN as Video4Linux shows it, for a process that has this preloaded.
 *
 * V4L2_DEVICES names a folder. While it holds a file "videoN" there is a camera N (also named
 * /dev/v4l/by-id/usb-Test_camera-N), and the file says what it is like, as words NAME=VALUE; it is read again at each
 * picture, so that a test can pull the plug at any moment. The pictures come from "pictures.FOURCC" (of each its bytes,
 * after their number in 32 bits). Picture n of the process is number n, modulo how many there are. What was asked for
 * is told in "videoN.log", a line each.
 *
 * v4l2_folder.c reads and writes the folder, v4l2_device.c is the camera, v4l2_preload.c stands in for the C library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { MOST_DEVICES = 8, MOST_BUFFERS = 32 };

typedef struct {
    char state[16];  /* ok, stalled, busy (for whoever wants to stream), occupied (at once), crowded, denied, broken */
    char clock[16];  /* of the stamps: monotonic, realtime, copy (counted from 0), late (a minute behind) */
    char kind[16];   /* capture, metadata, output, planes, none */
    char formats[64], current[8];
    int width, height, rate, padding, lose, damage, norate;
} Config;

typedef struct {
    int used, node, reading, writing, memory, streaming, ending, gone, count, paced;
    uint32_t pixelformat;
    size_t size;
    uint32_t sequence;
    int queued[MOST_BUFFERS], n_queued, done[MOST_BUFFERS], n_done;
    struct v4l2_buffer buffers[MOST_BUFFERS];
    pthread_t pacer;
} Device;

extern pthread_mutex_t lock; /* of all devices */

/* The camera that a path names; -1: none of ours. */
int node_of(const char *path);
/* 0: there is no such camera. */
int configured(int node, Config *config);
/* A line in the log. */
void tell(int node, const char *form, ...);
/* Picture `which` into `place`; its bytes, at most `room`. */
size_t picture(uint32_t pixelformat, uint64_t which, unsigned char *place, size_t room);

/* As of the C library. */
int device_open(int node, int flags);
int device_close(Device *device);
/* NULL: none of ours. Under the lock. */
Device *device_of(int fd);
/* An ioctl: 0, or the number of the error. Under the lock. */
int answered(Device *device, unsigned long wish, void *argument);

static inline int is(const char *one, const char *other) { return !strcmp(one, other); }
