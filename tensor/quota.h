/* tensor/quota.h -- how many processors a container's CPU quota leaves to this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_QUOTA_H
#define SLOPE_TENSOR_QUOTA_H

/* Returns the quota in processors, rounded up; 0 if there is none, as on systems other than Linux.
 * The system's files are looked up below the folder `root`, which is "" except in tests. */
long slope_cpu_quota(const char *root);

#endif
