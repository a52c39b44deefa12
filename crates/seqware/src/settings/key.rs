//! The names of all settings.

/// A setting. Its name is the same in files and in the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The Web Service's address.
    RestUrl,
    /// The account's e-mail address.
    RestUser,
    /// The account's password.
    RestPass,
    /// A token, instead of address and password.
    RestToken,
    /// A file with the certificates to trust, instead of the system's.
    RestCa,
    /// Whether `http` without TLS is allowed to other machines: `true` or `false`.
    RestAllowHttp,
    /// `webservice`, or `none`: `bundle launch` then brings its own service.
    MetadataMethod,
    /// The engine of runs that demand none.
    DefaultWorkflowEngine,
    /// The label this machine's launcher serves.
    Host,
    /// Where run directories are made.
    WorkDir,
    /// Where fetched bundles are unpacked.
    BundleDir,
    /// Jobs of one run in a cluster's queue.
    MaxJobs,
    /// A path of this program that cluster nodes already have.
    StepRunner,
    /// A program to run at each change of a run's status.
    OnChange,
    /// Slurm's partition.
    SlurmPartition,
    /// Slurm's account.
    SlurmAccount,
    /// Slurm's quality of service.
    SlurmQos,
    /// Further options for `sbatch`.
    SlurmExtraOptions,
    /// Grid Engine's queue.
    SgeQueue,
    /// Grid Engine's project.
    SgeProject,
    /// Further options for `qsub`.
    SgeExtraOptions,
    /// How Grid Engine is asked for threads.
    SgeThreadsFormat,
    /// How Grid Engine is asked for memory.
    SgeMemoryFormat,
}

impl Key {
    /// Every setting, in the order in which they are shown.
    pub const ALL: [Self; 23] = [
        Self::RestUrl,
        Self::RestUser,
        Self::RestPass,
        Self::RestToken,
        Self::RestCa,
        Self::RestAllowHttp,
        Self::MetadataMethod,
        Self::DefaultWorkflowEngine,
        Self::Host,
        Self::WorkDir,
        Self::BundleDir,
        Self::MaxJobs,
        Self::StepRunner,
        Self::OnChange,
        Self::SlurmPartition,
        Self::SlurmAccount,
        Self::SlurmQos,
        Self::SlurmExtraOptions,
        Self::SgeQueue,
        Self::SgeProject,
        Self::SgeExtraOptions,
        Self::SgeThreadsFormat,
        Self::SgeMemoryFormat,
    ];

    /// Returns the setting's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RestUrl => "SW_REST_URL",
            Self::RestUser => "SW_REST_USER",
            Self::RestPass => "SW_REST_PASS",
            Self::RestToken => "SW_REST_TOKEN",
            Self::RestCa => "SW_REST_CA",
            Self::RestAllowHttp => "SW_REST_ALLOW_HTTP",
            Self::MetadataMethod => "SW_METADATA_METHOD",
            Self::DefaultWorkflowEngine => "SW_DEFAULT_WORKFLOW_ENGINE",
            Self::Host => "SW_HOST",
            Self::WorkDir => "SW_WORK_DIR",
            Self::BundleDir => "SW_BUNDLE_DIR",
            Self::MaxJobs => "SW_MAX_JOBS",
            Self::StepRunner => "SW_STEP_RUNNER",
            Self::OnChange => "SW_ON_CHANGE",
            Self::SlurmPartition => "SW_SLURM_PARTITION",
            Self::SlurmAccount => "SW_SLURM_ACCOUNT",
            Self::SlurmQos => "SW_SLURM_QOS",
            Self::SlurmExtraOptions => "SW_SLURM_EXTRA_OPTIONS",
            Self::SgeQueue => "SW_SGE_QUEUE",
            Self::SgeProject => "SW_SGE_PROJECT",
            Self::SgeExtraOptions => "SW_SGE_EXTRA_OPTIONS",
            Self::SgeThreadsFormat => "OOZIE_SGE_THREADS_PARAM_FORMAT",
            Self::SgeMemoryFormat => "OOZIE_SGE_MAX_MEMORY_PARAM_FORMAT",
        }
    }

    /// Finds a setting by a name in upper case: its own, or the one Niassa gave it.
    pub fn find(name: &str) -> Option<Self> {
        match name {
            "OOZIE_WORK_DIR" => Some(Self::WorkDir),
            name => Self::ALL.into_iter().find(|key| key.name() == name),
        }
    }

    /// Tells whether its value must not be shown or readable by others.
    pub fn is_secret(self) -> bool {
        is_secret(self.name())
    }

    /// Returns the value of a setting that nobody gave.
    pub fn default(self) -> Option<&'static str> {
        match self {
            Self::RestAllowHttp => Some("false"),
            Self::MetadataMethod => Some("webservice"),
            Self::DefaultWorkflowEngine => Some("local"),
            Self::WorkDir => Some("~/niassa-runs"),
            Self::MaxJobs => Some("1000"),
            Self::RestUrl
            | Self::RestUser
            | Self::RestPass
            | Self::RestToken
            | Self::RestCa
            | Self::Host
            | Self::BundleDir
            | Self::StepRunner
            | Self::OnChange
            | Self::SlurmPartition
            | Self::SlurmAccount
            | Self::SlurmQos
            | Self::SlurmExtraOptions
            | Self::SgeQueue
            | Self::SgeProject
            | Self::SgeExtraOptions
            | Self::SgeThreadsFormat
            | Self::SgeMemoryFormat => None,
        }
    }
}

/// Tells whether a name, also one that is not ours, is that of a secret.
pub fn is_secret(name: &str) -> bool {
    let of_aws = name.starts_with("AWS_") && (name.contains("SECRET") || name.contains("TOKEN"));
    of_aws || matches!(name, "SW_REST_PASS" | "SW_REST_TOKEN" | "SW_DB_PASS")
}

/// Tells whether a name means something to us.
pub fn is_known(name: &str) -> bool {
    Key::find(name).is_some() || name.starts_with("AWS_")
}
