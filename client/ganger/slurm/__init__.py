"""Scripts and commands of Slurm: `#SBATCH` lines and `SLURM_*` variables, and stand-ins for sbatch and its kin."""
