/*
 * A program for the tests in the virtual machine: has a camera take so many pictures a second. Words: the device, the number. Owns nothing beyond
 * its run. Says on standard output how many the driver has set.
 */
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

int main(int count, char **words) {
    if (count != 3) return fprintf(stderr, "camera DEVICE PICTURES; see the source\n"), 2;
    int device = open(words[1], O_RDWR | O_CLOEXEC);
    struct v4l2_streamparm wish = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_fract *interval = &wish.parm.capture.timeperframe;
    *interval = (struct v4l2_fract){1, (unsigned)atoi(words[2])};
    if (device < 0 || ioctl(device, VIDIOC_S_PARM, &wish) < 0) return perror(words[1]), 1;
    printf("%u\n", interval->denominator / interval->numerator);
    return 0;
}
