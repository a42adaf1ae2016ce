/* An LV2 plug-in that passes its input on until it is told to misbehave; tests compile it. No header is needed. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    const char *uri;
    void *(*instantiate)(const void *, double, const char *, const void *const *);
    void (*connect_port)(void *, uint32_t, void *);
    void (*activate)(void *);
    void (*run)(void *, uint32_t);
    void (*deactivate)(void *);
    void (*cleanup)(void *);
    const void *(*extension_data)(const char *);
} Descriptor;

enum { INPUT, OUTPUT, FAULT, LATENCY, PORTS };
enum { NONE, CRASH, LOOP, NOT_A_NUMBER, SLOW, CHATTER };

static void *instantiate(const void *descriptor, double rate, const char *path, const void *const *features) {
    return calloc(PORTS, sizeof(float *));
}

static void connect_port(void *ports, uint32_t number, void *data) { ((float **)ports)[number] = data; }

static void run(void *handle, uint32_t frames) {
    float **ports = handle;
    for (uint32_t n = 0; n < frames; ++n) ports[OUTPUT][n] = ports[INPUT][n];
    *ports[LATENCY] = 1000.0f; /* a lie: the sound comes out at once */
    switch ((int)*ports[FAULT]) {
    case CRASH: *(volatile int *)0 = 1; break;
    case LOOP: for (volatile int i = 0;; ++i) {} break;
    case NOT_A_NUMBER: ports[OUTPUT][frames / 2] = NAN; break;
    case SLOW: usleep(30000); break;
    case CHATTER: puts("faulty chatters"); fflush(stdout); break;
    }
}

static void cleanup(void *handle) { free(handle); }

static const Descriptor descriptor = {"urn:struck:faulty", instantiate, connect_port, 0, run, 0, cleanup, 0};

const Descriptor *lv2_descriptor(uint32_t index) { return index == 0 ? &descriptor : 0; }
