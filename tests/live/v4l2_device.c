/* The camera: a thread that takes pictures by the clock, and what it answers.
 *
 * The descriptor is the reading end of a pipe that holds a byte for each finished picture: so poll, select, O_NONBLOCK
 * and the hang-up of an unplugged camera are the kernel's own.
 */
#include "v4l2_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Device devices[MOST_DEVICES];
static uint64_t shown; /* pictures of this process so far, so that they are counted on when a camera comes back */

static int64_t now_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void stamp(struct v4l2_buffer *buffer, const Config *config, int64_t ns) {
    static int64_t first;
    buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    if (is(config->clock, "realtime")) {
        ns += now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
        buffer->flags = V4L2_BUF_FLAG_MAPPED;
    } else if (is(config->clock, "copy")) {
        ns -= first ? first : (first = ns);
        buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_COPY;
    } else if (is(config->clock, "late")) {
        ns -= INT64_C(60000000000);
    }
    buffer->timestamp.tv_sec = ns / 1000000000;
    buffer->timestamp.tv_usec = ns % 1000000000 / 1000;
}

/* One picture, if there is room for it. Under the lock. */
static void shoot(Device *device, const Config *config, int64_t ns) {
    uint32_t sequence = device->sequence++;
    uint64_t which = shown++;
    if (!device->n_queued || (config->lose && sequence % config->lose == (uint32_t)config->lose - 1)) {
        tell(device->node, "lost %llu\n", (unsigned long long)which);
        return;
    }
    int index = device->queued[0];
    memmove(device->queued, device->queued + 1, --device->n_queued * sizeof(int));
    struct v4l2_buffer *buffer = &device->buffers[index];
    stamp(buffer, config, ns);
    buffer->sequence = sequence;
    size_t pitch = config->width * 2, padded = pitch + config->padding;
    unsigned char *place = REAL(mmap)(NULL, device->size, PROT_READ | PROT_WRITE, MAP_SHARED, device->memory,
                                (off_t)buffer->m.offset);
    if (place == MAP_FAILED) abort();
    buffer->bytesused = picture(device->pixelformat, which, place, device->size);
    if (config->padding && device->pixelformat == V4L2_PIX_FMT_YUYV) {
        for (int row = config->height - 1; row > 0; row--) memmove(place + row * padded, place + row * pitch, pitch);
        buffer->bytesused = padded * config->height;
    }
    if (config->damage && sequence % config->damage == (uint32_t)config->damage - 1) {
        buffer->flags |= V4L2_BUF_FLAG_ERROR;
        buffer->bytesused /= 2;
    }
    munmap(place, device->size);
    buffer->flags |= V4L2_BUF_FLAG_DONE;
    device->done[device->n_done++] = index;
    int64_t taken = buffer->timestamp.tv_sec * INT64_C(1000000) + buffer->timestamp.tv_usec;
    int64_t unix_ns = ns + now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
    tell(device->node, "picture %llu %lld %.6f\n", (unsigned long long)which, (long long)taken, unix_ns / 1e9);
    if (write(device->writing, "", 1) != 1) abort();
}

static void *pace(void *argument) {
    Device *device = argument;
    int64_t due = now_ns(CLOCK_MONOTONIC);
    pthread_mutex_lock(&lock);
    while (!device->ending) {
        Config config;
        if (!configured(device->node, &config)) {
            device->gone = 1;
            REAL(close)(device->writing);
            device->writing = -1;
            break;
        }
        int64_t now = now_ns(CLOCK_MONOTONIC);
        if (!device->streaming || is(config.state, "stalled")) {
            due = now;
        } else if (now >= due) {
            shoot(device, &config, now);
            due += INT64_C(1000000000) / config.rate;
        }
        pthread_mutex_unlock(&lock);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void empty(Device *device) {
    char byte;
    int flags = fcntl(device->reading, F_GETFL);
    fcntl(device->reading, F_SETFL, flags | O_NONBLOCK);
    while (read(device->reading, &byte, 1) == 1) {}
    fcntl(device->reading, F_SETFL, flags);
    device->n_done = device->n_queued = device->streaming = 0;
}

/* ---- what a program may ask ---- */

int device_open(int node, int flags) {
    Config config;
    if (!configured(node, &config)) return errno = ENOENT, -1;
    if (is(config.state, "denied")) return errno = EACCES, -1;
    if (is(config.state, "occupied")) return errno = EBUSY, -1;
    int ends[2], found = 0;
    pthread_mutex_lock(&lock);
    while (found < MOST_DEVICES && devices[found].used) found++;
    Device *device = &devices[found];
    if (found == MOST_DEVICES || pipe2(ends, O_CLOEXEC | (flags & O_NONBLOCK))) {
        pthread_mutex_unlock(&lock);
        return errno = EMFILE, -1;
    }
    *device = (Device){.used = 1, .node = node, .reading = ends[0], .writing = ends[1], .memory = -1};
    memcpy(&device->pixelformat, config.current, 4);
    tell(node, "open\n");
    device->paced = !pthread_create(&device->pacer, NULL, pace, device);
    pthread_mutex_unlock(&lock);
    return ends[0];
}

Device *device_of(int fd) {
    for (int i = 0; i < MOST_DEVICES; i++)
        if (devices[i].used && devices[i].reading == fd) return &devices[i];
    return NULL;
}

int device_close(Device *device) {
    pthread_mutex_lock(&lock);
    device->ending = 1;
    pthread_mutex_unlock(&lock);
    if (device->paced) pthread_join(device->pacer, NULL);
    pthread_mutex_lock(&lock);
    tell(device->node, "close%s\n", device->streaming ? " streaming" : "");
    if (device->writing >= 0) REAL(close)(device->writing);
    if (device->memory >= 0) REAL(close)(device->memory);
    int reading = device->reading;
    device->used = 0;
    pthread_mutex_unlock(&lock);
    return REAL(close)(reading);
}

static int capability(const Config *config, struct v4l2_capability *found) {
    uint32_t kind = is(config->kind, "metadata") ? V4L2_CAP_META_CAPTURE
                    : is(config->kind, "output") ? V4L2_CAP_VIDEO_OUTPUT
                    : is(config->kind, "planes") ? V4L2_CAP_VIDEO_CAPTURE_MPLANE
                                                 : V4L2_CAP_VIDEO_CAPTURE;
    memset(found, 0, sizeof *found);
    strcpy((char *)found->driver, "test");
    strcpy((char *)found->card, "Test camera");
    strcpy((char *)found->bus_info, "usb-0000:00:14.0-1");
    found->device_caps = kind | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
    /* Of all nodes of the camera together, as UVC has it. */
    found->capabilities = found->device_caps | V4L2_CAP_DEVICE_CAPS | V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_META_CAPTURE;
    return 0;
}

static int format(Device *device, const Config *config, struct v4l2_format *wanted, int set) {
    if (wanted->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || !is(config->kind, "capture")) return EINVAL;
    if (set && (is(config->state, "busy") || device->count)) return EBUSY;
    char name[5] = "";
    memcpy(name, &wanted->fmt.pix.pixelformat, 4);
    if (set) tell(device->node, "set %s %ux%u\n", name, wanted->fmt.pix.width, wanted->fmt.pix.height);
    if (set && *name && strstr(config->formats, name)) memcpy(&device->pixelformat, name, 4);
    int compressed = device->pixelformat == V4L2_PIX_FMT_MJPEG;
    int pitch = compressed ? 0 : config->width * 2 + config->padding;
    memset(&wanted->fmt, 0, sizeof wanted->fmt);
    wanted->fmt.pix.width = config->width, wanted->fmt.pix.height = config->height;
    wanted->fmt.pix.pixelformat = device->pixelformat;
    wanted->fmt.pix.field = V4L2_FIELD_NONE;
    wanted->fmt.pix.bytesperline = pitch;
    wanted->fmt.pix.sizeimage = (compressed ? config->width * 2 : pitch) * config->height;
    return 0;
}

static int parameters(const Config *config, struct v4l2_streamparm *found) {
    if (config->norate) return ENOTTY;
    memset(&found->parm, 0, sizeof found->parm);
    found->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    found->parm.capture.timeperframe = (struct v4l2_fract){1, config->rate};
    found->parm.capture.readbuffers = 4;
    return 0;
}

static int request(Device *device, const Config *config, struct v4l2_requestbuffers *wanted) {
    if (is(config->state, "busy") || device->streaming) return EBUSY;
    if (wanted->memory != V4L2_MEMORY_MMAP) return EINVAL;
    device->count = wanted->count = wanted->count > MOST_BUFFERS ? MOST_BUFFERS : wanted->count;
    wanted->capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP;
    struct v4l2_format current = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    format(device, config, &current, 0);
    size_t page = sysconf(_SC_PAGESIZE);
    device->size = (current.fmt.pix.sizeimage + page - 1) / page * page;
    if (device->memory >= 0) REAL(close)(device->memory);
    device->memory = memfd_create("pictures", MFD_CLOEXEC);
    if (ftruncate(device->memory, device->size * device->count)) abort();
    for (int i = 0; i < device->count; i++)
        device->buffers[i] = (struct v4l2_buffer){
            .index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP, .m.offset = i * device->size,
            .length = current.fmt.pix.sizeimage, .flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC};
    tell(device->node, "buffers %d\n", device->count);
    return 0;
}

static int dequeue(Device *device, const Config *config, struct v4l2_buffer *into) {
    if (!device->streaming) return EINVAL;
    if (is(config->state, "broken")) return EIO;
    char byte;
    int reading = device->reading;
    pthread_mutex_unlock(&lock);
    ssize_t got = read(reading, &byte, 1);
    int why = errno;
    pthread_mutex_lock(&lock);
    if (got < 0) return why;
    if (!got || !device->n_done) return ENODEV;
    *into = device->buffers[device->done[0]];
    memmove(device->done, device->done + 1, --device->n_done * sizeof(int));
    return 0;
}

int answered(Device *device, unsigned long wish, void *argument) {
    Config config;
    if (device->gone || !configured(device->node, &config)) return ENODEV;
    struct v4l2_buffer *buffer = argument;
    struct v4l2_input *input = argument;
    struct v4l2_fmtdesc *kind = argument;
    switch (wish) {
    case VIDIOC_QUERYCAP:
        return is(config.kind, "none") ? ENOTTY : capability(&config, argument);
    case VIDIOC_ENUM_FMT:
        if (kind->index >= (strlen(config.formats) + 1) / 5) return EINVAL;
        memcpy(&kind->pixelformat, config.formats + 5 * kind->index, 4);
        return 0;
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *size = argument;
        if (size->index) return EINVAL;
        size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        size->discrete.width = config.width, size->discrete.height = config.height;
        return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *interval = argument;
        if (interval->index) return EINVAL;
        interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        interval->discrete = (struct v4l2_fract){1, config.rate};
        return 0;
    }
    case VIDIOC_G_FMT: return format(device, &config, argument, 0);
    case VIDIOC_S_FMT: return format(device, &config, argument, 1);
    case VIDIOC_G_PARM: return parameters(&config, argument);
    case VIDIOC_S_PARM:
        tell(device->node, "rate\n");
        return parameters(&config, argument);
    case VIDIOC_ENUMINPUT:
        if (input->index) return EINVAL;
        memset(input, 0, sizeof *input);
        strcpy((char *)input->name, "Camera 1");
        input->type = V4L2_INPUT_TYPE_CAMERA;
        return 0;
    case VIDIOC_G_INPUT: return *(int *)argument = 0;
    case VIDIOC_S_INPUT: return *(int *)argument ? EINVAL : 0;
    case VIDIOC_REQBUFS: return request(device, &config, argument);
    case VIDIOC_QUERYBUF:
        if (buffer->index >= (uint32_t)device->count) return EINVAL;
        *buffer = device->buffers[buffer->index];
        return 0;
    case VIDIOC_QBUF:
        if (buffer->index >= (uint32_t)device->count) return EINVAL;
        device->queued[device->n_queued++] = buffer->index;
        return 0;
    case VIDIOC_DQBUF: return dequeue(device, &config, buffer);
    case VIDIOC_STREAMON:
        if (is(config.state, "busy")) return EBUSY;
        if (is(config.state, "crowded")) return ENOSPC;
        tell(device->node, "on %.4s\n", (char *)&device->pixelformat);
        device->streaming = 1, device->sequence = 0;
        return 0;
    case VIDIOC_STREAMOFF:
        tell(device->node, "off\n");
        empty(device);
        return 0;
    default: return ENOTTY;
    }
}
