import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How often a step was done, over all cases. */
@Entity()
export class StepCount {
  @PrimaryColumn('text') readonly step!: string;
  @Column('integer') readonly times!: number;
}

/** How many steps a user has done. */
@Entity()
export class UserCount {
  @PrimaryColumn('text') readonly user!: string;
  @Column('integer') readonly times!: number;
}

/** How far the statistics have come in a case: the version of the last event that is counted. */
@Entity()
export class CountedVersion {
  @PrimaryColumn('text') readonly caseId!: string;
  @Column('integer') readonly version!: number;
}
