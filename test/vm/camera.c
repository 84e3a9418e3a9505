/*
 * A program for the tests in the virtual machine: has a camera take as many pictures a second as it can of the size that it is set to. Word: the
 * device. Owns nothing beyond its run. Says on standard output how many hundredths of a second pass between two pictures.
 */
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <sys/ioctl.h>

int main(int count, char **words) {
    if (count != 2) return fprintf(stderr, "camera DEVICE; see the source\n"), 2;
    int device = open(words[1], O_RDWR | O_CLOEXEC);
    /* A time of zero is the shortest that the driver has. */
    struct v4l2_streamparm wish = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    if (device < 0 || ioctl(device, VIDIOC_S_PARM, &wish) < 0) return perror(words[1]), 1;
    struct v4l2_fract *interval = &wish.parm.capture.timeperframe;
    printf("%u\n", 100 * interval->numerator / interval->denominator);
    return 0;
}
