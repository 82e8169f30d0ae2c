# The roofline of this machine, and how close the kernels come to it. To redraw it:
# gnuplot -d roofline.gp
#
# Work with few operations per byte that it moves is limited by memory (the slope); work with many
# is limited by the arithmetic units (the flat part). Source: Williams, Waterman and Patterson,
# "Roofline", 2009.
set encoding utf8
data = 'roofline.dat'

stats data index 0 using 2 nooutput name 'roof'
stats data index 3 using 2 nooutput name 'points'
low_x = 0.08; high_x = 1000.0
stats data index 4 using 2 nooutput name 'peers'
least = points_min < peers_min ? points_min : peers_min
low_y = least < 2 ? least / 2 : 1; high_y = roof_max * 2.2
set xrange [low_x:high_x]
set yrange [low_y:high_y]
set logscale xy
set size ratio (log10(high_y) - log10(low_y)) / (log10(high_x) - log10(low_x)) # equal decades

set title 'How close the kernels come to the limits of this machine' font ',17'
set xlabel 'floating-point operations per byte of memory traffic'
set ylabel 'GF/s (10^9 floating-point operations per second)'
set border 3 linecolor rgb '#444444'
set tics nomirror textcolor rgb '#222222'
set xtics ('0.1' 0.1, '1' 1, '10' 10, '100' 100, '1000' 1000)
set ytics ('0.1' 0.1, '1' 1, '10' 10, '100' 100, '1000' 1000, '10000' 10000)
set grid xtics ytics linecolor rgb '#bbbbbb' linewidth 1 dashtype 3
set key bottom right reverse Left samplen 1.5

set terminal svg noenhanced size 1080,760 font 'sans-serif,14' background '#ffffff'
set output 'roofline.svg'
plot data index 0 using 1:2 with lines linewidth 3 linecolor rgb '#222222' notitle, \
     data index 1 using 1:2 with lines linewidth 1.6 dashtype 2 linecolor rgb '#777777' notitle, \
     data index 6 using 1:2 with lines linewidth 0.8 linecolor rgb '#999999' notitle, \
     data index 4 using 1:2:(0):($3 - $2) with vectors nohead linewidth 1.4 \
         linecolor rgb '#f0c4a4' notitle, \
     data index 4 using 1:2 with points pointtype 6 pointsize 1.1 linewidth 1.6 \
         linecolor rgb '#d55e00' title 'PyTorch, the same work', \
     data index 3 using 1:2 with points pointtype 7 pointsize 1.1 linecolor rgb '#0072b2' \
         title 'Slope', \
     data index 5 using 1:2:3 with labels left textcolor rgb '#0b3c5d' notitle, \
     data index 2 using 1:2:3:4 with labels left rotate variable textcolor rgb '#222222' notitle

set terminal pngcairo noenhanced size 1080,760 font 'sans,12' background '#ffffff'
set output 'roofline.png'
replot
