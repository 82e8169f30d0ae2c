#!/usr/bin/python3
# tests/npy_numpy.py -- does NumPy read what npy_save wrote, and npy_load what NumPy wrote?
#
#  - Run it with a Python that has numpy:
#        make build/float/tests/check_npy
#        /usr/bin/python3 tests/npy_numpy.py build/float/tests/check_npy
#    (or the double one.) It ends with status 0 if all is well.
#  - NumPy saves arrays of every type, order, version and many shapes; check_npy loads each and
#    saves it again; NumPy compares.
#
# SPDX-License-Identifier: MIT
import subprocess
import sys
import tempfile
import numpy as np


def arrays():
    rng = np.random.default_rng(1)
    shapes = [(), (0,), (1,), (7,), (3, 4), (2, 0, 3), (2, 3, 4), (1, 2, 1, 2, 1, 2, 1, 2),
              (90, 91)]
    for shape in shapes:
        numbers = rng.integers(-100, 100, shape) / 8
        for dtype in ['<f4', '>f4', '<f8', '>f8', '<i4', '>i4', '<i8', '>i8', '|u1', '|b1']:
            x = np.asarray(np.abs(numbers) if dtype == '|u1' else numbers).astype(dtype)
            yield x
            if x.ndim > 1:
                yield np.asfortranarray(x)
    yield np.array([np.nan, np.inf, -np.inf, -0.0], '<f4')


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        made = list(arrays())
        for i, x in enumerate(made):
            with open('%s/%d.npy' % (folder, i), 'wb') as f:
                np.lib.format.write_array(f, x, version=(1 + i % 3, 0))
        if subprocess.run([program, folder]).returncode:
            return 1
        for i, x in enumerate(made):
            with open('%s/ours-%d.npy' % (folder, i), 'rb') as f:
                assert np.lib.format.read_magic(f) == (1, 0)
            y = np.load('%s/ours-%d.npy' % (folder, i))
            assert y.dtype in ('<f4', '<f8') and y.shape == x.shape, (x.dtype, x.shape, y.shape)
            assert np.array_equal(x.astype(y.dtype), y, equal_nan=True), (x.dtype, x.shape)
    print('%d arrays went there and back as %s' % (len(made), y.dtype))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
